-- Ends the lease of a reader if it still has it. If it was the last one, wakes those who wait for the lock.
-- KEYS[1] the lock
-- KEYS[2] the waiting callers, by when their entries expire
-- KEYS[3] the queue of those that wait for their turn
-- KEYS[4] the readers, by when their leases end
-- ARGV[1] the caller's token
-- ARGV[2] the channel on which waiting callers are woken
-- Returns 1, or 0 if the caller does not have it.
local now = now_ms()
if not has_joined(redis.call('GET', KEYS[1]), KEYS[4], ARGV[1], now) then
  return 0
end
redis.call('ZREM', KEYS[4], ARGV[1])
if last_as_leases(KEYS[1], KEYS[4], now) == 0 then
  wake(KEYS[2], KEYS[3], ARGV[2])
end
return 1
