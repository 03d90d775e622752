-- Returns the last fencing token of a resource, if there is one: another program may have written anything there.
local function last_fence(fence)
  local last = tonumber(redis.call('GET', fence))
  if last and last >= 0 and last < 9007199254740991 then
    return math.floor(last)
  end
end

-- Returns the next one: above all earlier ones, and not below the store's µs. A caller that has the lock already keeps the last one.
local function next_fence(fence, has_lock, ttl)
  local last = last_fence(fence)
  if not (has_lock and last) then
    last = math.max((last or 0) + 1, now_us())
  end
  redis.call('SET', fence, string.format('%.0f', last), 'PX', ttl)
  return last
end
