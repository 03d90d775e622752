-- Acquires a lock, or enters the caller among those whom its release has to wake.
-- KEYS[1] the lock
-- KEYS[2] the last fencing token of its resource
-- KEYS[3] the waiting callers, by when their entries expire
-- ARGV[1] the caller's token
-- ARGV[2] the ttl of the lock in ms
-- ARGV[3] the ttl of the fencing token in ms
-- ARGV[4] for how many ms the caller is entered
-- Returns the fencing token; or, if another caller has the lock, its remaining ms as a number that is not above 0.
local number = take(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
if number > 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return number
end
enter(KEYS[3], ARGV[1], ARGV[4])
return -math.max(redis.call('PTTL', KEYS[1]), 0)
