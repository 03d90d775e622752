-- Invalidates a tag: no entry is touched, only the clock moves.
-- KEYS[1] clock
-- ARGV[1] tag   ARGV[2] epoch of a new clock   ARGV[3] its life in ms   ARGV[4] most tags it remembers
-- Returns {epoch, number}.
if not redis.call('ZSCORE', KEYS[1], '\0e') then
  redis.call('ZADD', KEYS[1], ARGV[2], '\0e')
end
local number = redis.call('ZINCRBY', KEYS[1], 1, '\0s')
redis.call('ZADD', KEYS[1], number, ARGV[1])
local most = tonumber(ARGV[4])
if redis.call('ZCARD', KEYS[1]) > most then
  -- The oldest tenth is forgotten. The floor says so: entries from before it miss.
  local last = math.ceil(most / 10)
  local edge = redis.call('ZRANGE', KEYS[1], last, last, 'WITHSCORES')
  redis.call('ZREMRANGEBYRANK', KEYS[1], 0, last)
  redis.call('ZADD', KEYS[1], edge[2], '\0f')
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return { redis.call('ZSCORE', KEYS[1], '\0e'), number }
