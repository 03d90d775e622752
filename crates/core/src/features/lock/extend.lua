-- Extends a lock if the caller still holds it.
-- KEYS[1] the lock
-- ARGV[1] the caller's token
-- ARGV[2] the new ttl in ms
-- Returns 1, or 0 if the caller does not hold it.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
