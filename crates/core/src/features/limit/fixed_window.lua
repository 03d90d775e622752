-- Counts a hit in a fixed window, which starts with its first hit. A rejected hit is undone, so only allowed ones count. KEYS:
-- the counter. ARGV: limit, window in ms. Returns {hits including this one, end of the window in epoch ms, ms until a hit can
-- be allowed again}. The last is computed by the store's clock, since the client's may differ.
local limit = tonumber(ARGV[1])
local hits = redis.call('INCR', KEYS[1])
if hits == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif hits > limit then
  redis.call('DECR', KEYS[1])
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
-- One over the limit says as much as any number, and is exact where a foreign counter is not.
local wait = hits > limit and math.max(redis.call('PTTL', KEYS[1]), 1) or 0
return {math.min(hits, limit + 1), ends, wait}
