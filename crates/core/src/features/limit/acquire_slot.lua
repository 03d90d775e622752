-- Takes a slot of a concurrency limit, or renews it if it is there already.
-- KEYS[1] the slots that are taken, by when their leases end in ms
-- ARGV[1] the limit
-- ARGV[2] the length of a lease in ms
-- ARGV[3] the slot
-- Returns {1 or 0, slots left, ms until a lease ends}.
local now, lease = now_ms(), tonumber(ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- No lease is longer than an hour. Once the clock has gone back by more, those of dead processes would stay for as long.
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
while last[2] and tonumber(last[2]) > now + math.max(lease, 3600000) do
  redis.call('ZADD', KEYS[1], now + lease, last[1])
  last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')
end
local taken = redis.call('ZCARD', KEYS[1])
local allowed = taken < tonumber(ARGV[1]) or redis.call('ZSCORE', KEYS[1], ARGV[3])
if allowed then
  redis.call('ZADD', KEYS[1], now + lease, ARGV[3])
  taken = redis.call('ZCARD', KEYS[1])
  expire_with_last(KEYS[1], now)
end
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
-- A lease is as long as its process says, so of one after the clock has gone back no more than that is left.
local wait = first[2] and math.min(math.max(first[2] - now, 1), lease) or 0
return { allowed and 1 or 0, math.max(tonumber(ARGV[1]) - taken, 0), wait }
