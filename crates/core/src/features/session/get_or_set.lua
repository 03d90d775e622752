-- Returns the value of a key, setting it first if it is missing, and renews its ttl.
-- KEYS[1] the key
-- ARGV[1] the value to set
-- ARGV[2] the ttl in ms
-- Returns the value.
local known = redis.call('GET', KEYS[1])
if not known then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return known
