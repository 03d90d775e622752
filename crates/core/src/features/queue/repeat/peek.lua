-- Reads a repeat.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  id of the repeat
--
-- Returns the store's time, the next slot and the schedule; nil for what there is not.
local q, id = KEYS[1], ARGV[1]
return { now_ms(), redis.call('ZSCORE', q .. REPEATS, id), redis.call('HGET', q .. REPEAT .. id, 's') }
