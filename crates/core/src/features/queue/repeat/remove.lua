-- Removes a repeat.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  id of the repeat
--
-- Returns 1 if there was one; 0 otherwise.
local q, id = KEYS[1], ARGV[1]
redis.call('DEL', q .. REPEAT .. id)
return redis.call('ZREM', q .. REPEATS, id)
