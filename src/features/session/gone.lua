-- Notes that a user's sessions are dropped now, and answers their ids. KEYS: the user's index, the mark. ARGV: life of the mark in ms.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
-- Never back: a clock that was set back must not let through what the last mark held up.
local mark = math.max(now, tonumber(redis.call('GET', KEYS[2]) or 0))
redis.call('SET', KEYS[2], string.format('%.0f', mark), 'PX', ARGV[1])
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', math.floor(now / 1000)), '+inf')
