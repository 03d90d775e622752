-- A repeat as it is: the store's time, its slot, its fields.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return { now, redis.call('ZSCORE', KEYS[1], ARGV[1]), redis.call('HGETALL', KEYS[2]) }
