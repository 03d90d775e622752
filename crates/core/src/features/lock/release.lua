-- Releases a lock if the caller still holds it, and wakes those who wait for it.
-- KEYS[1] the lock
-- KEYS[2] the waiting callers
-- ARGV[1] the caller's token
-- ARGV[2] the channel on which waiting callers are woken
-- Returns 1, or 0 if the caller does not hold it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
local released = redis.call('DEL', KEYS[1])
-- A user may lack these permissions: who waits then asks again.
if redis.pcall('EXISTS', KEYS[2]) == 1 then
  redis.pcall('PUBLISH', ARGV[2], '')
end
return released
