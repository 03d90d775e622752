-- Puts a user in a room, or replaces what is known about one, and renews the room's life; answers 1 for a new one, and 2 more
-- if publishing was denied.
-- KEYS: the users. ARGV: user, JSON, life in ms, channel.
local added = redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
-- Whoever may not publish may still use rooms.
local what = added == 1 and 'join' or 'update'
local denied = type(redis.pcall('PUBLISH', ARGV[4], what .. '\0' .. ARGV[1] .. '\0' .. ARGV[2])) == 'table'
return denied and added + 2 or added
