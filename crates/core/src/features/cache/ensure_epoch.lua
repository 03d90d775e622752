-- Returns the epoch at a key and raises its ttl to at least the given one. Stores a new epoch if the key is missing.
-- KEYS[1] the key
-- ARGV[1] a new epoch
-- ARGV[2] the minimum ttl in ms
-- Returns the epoch.
local epoch = redis.call('GET', KEYS[1])
-- A little more than the ttl that is needed, so that the next call rarely has to extend it.
local function longer()
  return string.format('%.0f', math.floor(ARGV[2] * 1.125))
end
if not epoch then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', longer())
  return ARGV[1]
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], longer())
end
return epoch
