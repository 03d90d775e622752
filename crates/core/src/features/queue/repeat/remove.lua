-- Forgets a repeat, and answers whether there was one. KEYS: the queue. ARGV: the repeat.
local q, id = KEYS[1], ARGV[1]
redis.call('DEL', q .. REPEAT .. id)
return redis.call('ZREM', q .. REPEATS, id)
