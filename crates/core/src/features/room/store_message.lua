-- Stores a message as the newest of a room.
-- KEYS[1] the messages
-- ARGV[1] the message as JSON
-- ARGV[2] how many messages to retain
-- ARGV[3] the ttl in ms
-- Returns how many messages there were, including this one.
local size = redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return size
