-- Lists a session in an index until it must have ended, and drops those that have.
-- KEYS: the index. ARGV: id, life in ms, life in ms that is enough where the id is listed already; '' for an id that is new.
local life = tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local ends = now + life
if ARGV[3] ~= '' then
  local known = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
  if known >= now + ARGV[3] then
    return 0
  end
  -- Never sooner than before: the session may still have a longer life that another writer gave it.
  ends = math.max(known, ends)
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], string.format('%.0f', ends), ARGV[1])
if redis.call('PTTL', KEYS[1]) < life then
  -- An eighth more than is needed, so that the next one seldom has to.
  redis.call('PEXPIRE', KEYS[1], math.floor(life * 1.125))
end
return 1
