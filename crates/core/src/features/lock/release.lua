-- Releases a lock if the caller still holds it, and wakes those who wait for it.
-- KEYS[1] the lock
-- KEYS[2] the waiting callers, by when their entries expire
-- KEYS[3] the queue of those that wait for their turn
-- ARGV[1] the caller's token
-- ARGV[2] the channel on which waiting callers are woken
-- Returns 1, or 0 if the caller does not hold it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local released = redis.call('DEL', KEYS[1])
wake(KEYS[2], KEYS[3], ARGV[2])
return released
