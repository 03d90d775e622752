-- Puts a user in a room, or replaces what is known about one, and renews the room's life; answers 1 for a new one.
-- KEYS: the users. ARGV: user, JSON, life in ms, channel.
local added = redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
-- Whoever may not publish may still use rooms.
redis.pcall('PUBLISH', ARGV[4], (added == 1 and 'join' or 'update') .. '\0' .. ARGV[1] .. '\0' .. ARGV[2])
return added
