-- Extends the lease of a reader if it still has it.
-- KEYS[1] the lock
-- KEYS[2] the readers, by when their leases end
-- ARGV[1] the caller's token
-- ARGV[2] the new ttl in ms
-- Returns 1, or 0 if the caller does not have it.
local now = now_ms()
if has_joined(redis.call('GET', KEYS[1]), KEYS[2], ARGV[1], now) then
  redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
  return last_as_leases(KEYS[1], KEYS[2], now)
end
return 0
