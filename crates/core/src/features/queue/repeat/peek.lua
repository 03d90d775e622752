-- A repeat as it is: the store's time, its slot, its schedule. KEYS: the queue. ARGV: the repeat.
local q, id = KEYS[1], ARGV[1]
return { now_ms(), redis.call('ZSCORE', q .. REPEATS, id), redis.call('HGET', q .. REPEAT .. id, 's') }
