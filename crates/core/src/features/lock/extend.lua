-- Gives a lock that is still the caller's a new life. KEYS: the lock. ARGV: the caller's token, life in ms.
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 0
