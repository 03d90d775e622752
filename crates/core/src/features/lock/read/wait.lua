-- Acquires a lock as a reader, or enters the caller among those whom its release has to wake.
-- KEYS[1] the lock
-- KEYS[2] the last fencing token of its resource
-- KEYS[3] the waiting callers, by when their entries expire
-- KEYS[4] the readers, by when their leases end
-- ARGV[1] the caller's token
-- ARGV[2] the ttl of the lease in ms
-- ARGV[3] the ttl of the fencing token in ms
-- ARGV[4] for how many ms the caller is entered
-- Returns the fencing token; or, if a writer has the lock or waits for it, its remaining ms as a number that is not above 0.
local number = join(KEYS[1], KEYS[2], KEYS[4], KEYS[3], nil, ARGV[1], ARGV[2], ARGV[3])
if number > 0 then
  redis.call('ZREM', KEYS[3], ARGV[1])
  return number
end
enter(KEYS[3], ARGV[1], ARGV[4])
return -math.max(redis.call('PTTL', KEYS[1]), 0)
