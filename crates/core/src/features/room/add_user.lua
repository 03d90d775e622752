-- Adds a user to a room, or replaces the user's info, and renews the ttl of the room. A user without permission to publish can
-- still use rooms.
-- KEYS[1] the users
-- ARGV[1] the user
-- ARGV[2] the info as JSON
-- ARGV[3] the ttl in ms
-- ARGV[4] the channel of changes
-- Returns 1 for a new user, otherwise 0; 2 more if publishing was denied.
local added = redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
local what = added == 1 and 'join' or 'update'
local denied = type(redis.pcall('PUBLISH', ARGV[4], what .. '\0' .. ARGV[1] .. '\0' .. ARGV[2])) == 'table'
return denied and added + 2 or added
