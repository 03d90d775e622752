-- Removes the old id of a session whose token was rotated.
-- KEYS[1] the index
-- ARGV[1] the new id of the session
-- ARGV[2] the old one
-- Returns 1; or 0 if the new id has been removed meanwhile, because the session has to end.
local is_lost = redis.call('PTTL', KEYS[1]) == -2
local has_place = is_lost or redis.call('ZSCORE', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[1], ARGV[2])
return has_place and 1 or 0
