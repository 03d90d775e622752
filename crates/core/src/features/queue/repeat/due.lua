-- Finds the repeats whose slots have come.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  how many at most
--
-- Returns the repeats, each with its slot, and in how many ms the next slot comes.
local q, now = KEYS[1], string.format('%.0f', now_ms())
local due = redis.call('ZRANGEBYSCORE', q .. REPEATS, '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local after = redis.call('ZRANGEBYSCORE', q .. REPEATS, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return { due, after[2] and after[2] - now or false }
