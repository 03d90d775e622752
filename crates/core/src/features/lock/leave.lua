-- Removes a caller from those who wait for a lock, and wakes the others if that is free: the caller may have been woken in their place. Readers
-- may have waited for a writer that leaves.
-- KEYS[1] the lock
-- KEYS[2] the waiting callers, by when their entries expire
-- KEYS[3] the queue of those that wait for their turn
-- ARGV[1] the caller's token
-- ARGV[2] the channel on which waiting callers are woken
-- Returns 1, or 0 if it was not entered.
redis.call('ZREM', KEYS[3], ARGV[1])
local removed = redis.call('ZREM', KEYS[2], ARGV[1])
local holder = redis.call('GET', KEYS[1])
if not holder or holder == READERS then
  wake(KEYS[2], KEYS[3], ARGV[2])
end
return removed
