-- Removes a user from a room, whatever members the user has there.
-- KEYS[1] the users
-- ARGV[1] the user
-- ARGV[2] the channel of changes
-- Returns how many users were removed, 0 or 1; 2 if publishing the removal was denied.
local removed = redis.call('HDEL', KEYS[1], ARGV[1])
if removed == 1 then
  local denied = type(redis.pcall('PUBLISH', ARGV[2], 'leave\0' .. ARGV[1] .. '\0')) == 'table'
  return denied and 2 or 1
end
return removed
