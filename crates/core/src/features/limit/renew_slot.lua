-- Renews the lease of a slot that is taken. Never takes it again.
-- KEYS[1] the slots that are taken, by when their leases end in ms
-- ARGV[1] the slot
-- ARGV[2] the length of a lease in ms
-- Returns 1, or 0 if it is not taken.
local now = now_ms()
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
expire_with_last(KEYS[1], now)
return 1
