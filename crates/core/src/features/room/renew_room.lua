-- Renews the life of a room; answers how many seats a process has there.
-- KEYS: the users, their connections, the seats of the process. ARGV: life in ms.
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
return redis.call('SCARD', KEYS[3])
