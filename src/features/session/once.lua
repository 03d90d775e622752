-- Answers what is at a key; where there is nothing, puts it there first. KEYS: it. ARGV: value, life in ms.
local known = redis.call('GET', KEYS[1])
if not known then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return known
