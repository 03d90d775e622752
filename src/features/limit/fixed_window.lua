-- One hit in a fixed window that begins with its first hit. A refusal writes nothing.
-- KEYS: the counter. ARGV: limit, window in ms. Answers {allowed, remaining, end of the window in epoch ms}.
local limit, allowed = tonumber(ARGV[1]), 1
local hits = redis.call('GET', KEYS[1])
if not hits then
  redis.call('SET', KEYS[1], '1', 'PX', ARGV[2])
  hits = 1
elseif not string.find(hits, '^%-?%d+$') then
  -- Not a counter: Redis's own error says so, and changes nothing.
  return redis.call('INCR', KEYS[1])
elseif tonumber(hits) < limit then
  hits = redis.call('INCR', KEYS[1])
else
  hits, allowed = limit, 0
end
local ends = redis.pcall('PEXPIRETIME', KEYS[1])
if type(ends) ~= 'number' or ends < 0 then
  -- Redis before 7 cannot say. A counter without an end, which somebody else wrote, gets one: it would refuse for ever.
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    left = ARGV[2]
  end
  local time = redis.call('TIME')
  ends = time[1] * 1000 + math.floor(time[2] / 1000) + left
end
return {allowed, limit - hits, ends}
