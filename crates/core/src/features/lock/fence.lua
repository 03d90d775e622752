-- Returns the next fencing token of a resource: above all earlier ones, and not below the store's µs. A caller that has the lock already keeps
-- the last one.
local function next_fence(fence, has_lock, ttl)
  local last = tonumber(redis.call('GET', fence))
  if not (has_lock and last) then
    last = math.max((last or 0) + 1, now_us())
  end
  redis.call('SET', fence, string.format('%.0f', last), 'PX', ttl)
  return last
end
