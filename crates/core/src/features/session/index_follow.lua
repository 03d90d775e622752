-- Adds the new id of a session whose token is being rotated, unless its group was dropped or the session has to end.
-- KEYS[1] the index
-- KEYS[2] the epoch of the group
-- KEYS[3] the sessions that have to end
-- ARGV[1] the new id of the session
-- ARGV[2] the old one
-- ARGV[3] the ttl in ms
-- ARGV[4] the epoch that the session records
-- Returns the state of the group, or nil if nothing was added.
local ttl = tonumber(ARGV[3])
local known = redis.call('GET', KEYS[2])
if not known or string.sub(known, 1, 16) ~= ARGV[4] or redis.call('ZSCORE', KEYS[3], ARGV[2]) then
  return false
end
add(KEYS[1], ARGV[1], ttl)
return state_of(KEYS[2], ttl, ARGV[4])
