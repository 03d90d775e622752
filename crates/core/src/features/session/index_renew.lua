-- Extends the entry of a session whose ttl is about to be renewed, unless its group was dropped.
-- KEYS[1] the index
-- KEYS[2] the epoch of the group
-- ARGV[1] the id of the session
-- ARGV[2] the ttl in ms
-- ARGV[3] the remaining ttl in ms from which an entry is not extended
-- ARGV[4] the epoch that the session records
-- Returns the state of the group, or nil if its epoch is a different one.
local ttl = tonumber(ARGV[2])
local known = redis.call('GET', KEYS[2])
if not known or string.sub(known, 1, 16) ~= ARGV[4] then
  return false
end
if redis.call('PTTL', KEYS[2]) < ttl then
  redis.call('PEXPIRE', KEYS[2], longer(ttl))
end
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not expires or tonumber(expires) < now_ms() + ARGV[3] then
  add(KEYS[1], ARGV[1], ttl)
end
return known
