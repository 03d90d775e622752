-- Repeats whose slots have come, each with its slot, and in how many ms the next one comes. KEYS: the queue. ARGV: how many at most.
local q, now = KEYS[1], string.format('%.0f', now_ms())
local due = redis.call('ZRANGEBYSCORE', q .. REPEATS, '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
local after = redis.call('ZRANGEBYSCORE', q .. REPEATS, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
return { due, after[2] and after[2] - now or false }
