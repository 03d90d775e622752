-- Extends the entry of a session whose ttl is about to be renewed, unless its group was dropped. KEYS: the index, the group's epoch.
-- ARGV: id, ttl in ms, the ttl in ms that suffices if the id is already listed, the epoch that the session records. Returns the
-- state of the group, or nil if its epoch is a different one.
local life = tonumber(ARGV[2])
local known = redis.call('GET', KEYS[2])
if not known or string.sub(known, 1, 16) ~= ARGV[4] then
  return false
end
if redis.call('PTTL', KEYS[2]) < life then
  redis.call('PEXPIRE', KEYS[2], longer(life))
end
local listed = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not listed or tonumber(listed) < now + ARGV[3] then
  list(KEYS[1], ARGV[1], life)
end
return known
