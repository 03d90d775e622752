-- Adds a session that is about to be written to the index of a group.
-- KEYS[1] the index
-- KEYS[2] the epoch of the group
-- ARGV[1] the id of the session
-- ARGV[2] the ttl in ms
-- ARGV[3] an epoch for a group that has none
-- Returns the state of the group.
local ttl = tonumber(ARGV[2])
local state = state_of(KEYS[2], ttl, ARGV[3])
add(KEYS[1], ARGV[1], ttl)
return state
