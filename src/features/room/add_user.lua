-- Puts a user in a room and renews the room's life. KEYS: the users. ARGV: user, JSON, life in ms.
local added = redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return added
