-- Adds a session to the index of a group until its latest expiry, and removes expired entries. KEYS: the index, the group's
-- epoch. ARGV: id, ttl in ms, the ttl in ms that suffices if the id is already listed, an epoch, and 'new' to set that epoch if
-- the group has none, or 'same' to do nothing unless it is the group's. Returns the state of the group, or nil if its epoch is
-- a different one.
local life = tonumber(ARGV[2])
local known = redis.call('GET', KEYS[2])
-- A bit more than necessary, so that the next call rarely has to extend it.
local keep = string.format('%.0f', math.floor(life * 1.125))
if ARGV[5] == 'same' then
  if not known or string.sub(known, 1, 16) ~= ARGV[4] then
    return false
  end
elseif not known then
  known = ARGV[4] .. ' - 0'
  redis.call('SET', KEYS[2], known, 'PX', keep)
end
if redis.call('PTTL', KEYS[2]) < life then
  redis.call('PEXPIRE', KEYS[2], keep)
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local listed = tonumber(redis.call('ZSCORE', KEYS[1], ARGV[1]) or 0)
if listed < now + ARGV[3] then
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
  -- Never sooner than before: the session may still have a longer life that another writer gave it.
  redis.call('ZADD', KEYS[1], string.format('%.0f', math.max(listed, now + life)), ARGV[1])
  if redis.call('PTTL', KEYS[1]) < life then
    redis.call('PEXPIRE', KEYS[1], keep)
  end
end
return known
