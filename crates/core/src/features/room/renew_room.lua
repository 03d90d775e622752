-- Renews the ttl of a room.
-- KEYS[1] the users
-- KEYS[2] the number of members of each user
-- KEYS[3] the memberships of the process
-- ARGV[1] the ttl in ms
-- Returns how many memberships the process has there.
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
end
return redis.call('SCARD', KEYS[3])
