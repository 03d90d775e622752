-- Enters a caller among those that wait for a lock.
local function enter(waiting, token, lease)
  local now = now_ms()
  redis.call('ZREMRANGEBYSCORE', waiting, '-inf', now)
  redis.call('ZADD', waiting, now + lease, token)
  redis.call('PEXPIRE', waiting, lease)
end
