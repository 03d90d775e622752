-- Lists a session in an index until it must have ended, and drops those that have.
-- KEYS: the index. ARGV: id, life in ms, life in ms that is enough where the id is listed already.
local life = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
if known >= now + ARGV[3] then
  return 0
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- Never sooner than before: the session may still have a longer life that another writer gave it.
redis.call('ZADD', KEYS[1], string.format('%.0f', math.max(known, now + life)), ARGV[1])
if redis.call('PTTL', KEYS[1]) < life then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
