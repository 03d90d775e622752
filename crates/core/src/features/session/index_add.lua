-- Adds a session that is about to be written to the index of a group. KEYS: the index, the group's epoch. ARGV: id, ttl in ms, an
-- epoch for a group that has none. Returns the state of the group.
local life = tonumber(ARGV[2])
local known = redis.call('GET', KEYS[2])
if not known then
  known = ARGV[3] .. ' - 0'
  redis.call('SET', KEYS[2], known, 'PX', longer(life))
elseif redis.call('PTTL', KEYS[2]) < life then
  redis.call('PEXPIRE', KEYS[2], longer(life))
end
list(KEYS[1], ARGV[1], life)
return known
