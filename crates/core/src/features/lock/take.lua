-- Gives a free lock to a token, or finds that the token has it already, since the reply of an earlier attempt may have been lost. Returns the
-- fencing token, above all earlier ones and not below the store's µs; 0 if another token has the lock.
local function take(lock, fence, token, ttl, fence_ttl)
  local holder = redis.call('GET', lock)
  if holder and holder ~= token then
    return 0
  end
  local last = tonumber(redis.call('GET', fence))
  if not (holder and last) then
    last = math.max((last or 0) + 1, now_us())
  end
  redis.call('SET', fence, string.format('%.0f', last), 'PX', fence_ttl)
  redis.call('SET', lock, token, 'PX', ttl)
  return last
end
