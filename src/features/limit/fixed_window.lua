-- One hit in a fixed window that begins with its first hit. A refusal writes nothing.
-- KEYS: the counter. ARGV: limit, window in ms. Answers {allowed, remaining, end of the window in epoch ms}.
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local hits = redis.call('GET', KEYS[1])
if not hits then
  redis.call('SET', KEYS[1], '1', 'PX', window)
  return {1, limit - 1, now + window}
end
if not string.find(hits, '^%-?%d+$') then
  -- Not a counter: Redis's own error says so, and changes nothing.
  return redis.call('INCR', KEYS[1])
end
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
  -- Whoever wrote this forgot its end, and would be refused for ever.
  redis.call('PEXPIRE', KEYS[1], window)
  left = window
end
hits = tonumber(hits)
if hits >= limit then
  return {0, 0, now + left}
end
redis.call('INCR', KEYS[1])
return {1, limit - hits - 1, now + left}
