-- Counts a hit in a fixed window, which starts with its first hit. A rejected hit is undone, so only allowed ones count.
-- KEYS[1] the counter
-- ARGV[1] the limit
-- ARGV[2] the length of the window in ms
-- Returns {hits including this one, end of the window in ms since 1970, ms until then}. The last is computed by the store's clock, since
-- the client's may differ.
local limit = tonumber(ARGV[1])
local hits = redis.call('INCR', KEYS[1])
if hits == 1 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
elseif hits > limit then
  redis.call('DECR', KEYS[1])
end
local ends = redis.pcall('PEXPIRETIME', KEYS[1])
if type(ends) ~= 'number' or ends < 0 then
  -- Redis before 7 lacks PEXPIRETIME. A counter without a ttl, which another program wrote, gets one, or it would reject forever.
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[2])
    left = ARGV[2]
  end
  ends = now_ms() + left
end
-- Capped at one over the limit, since a counter that another program wrote may exceed what is exact.
return {math.min(hits, limit + 1), ends, math.max(ends - now_ms(), 1)}
