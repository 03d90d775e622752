-- Takes a user out of a room, whatever connections it has there; answers how many were taken out, 2 if publishing
-- that was denied.
-- KEYS: the users. ARGV: user, channel.
local removed = redis.call('HDEL', KEYS[1], ARGV[1])
if removed == 1 then
  local denied = type(redis.pcall('PUBLISH', ARGV[2], 'leave\0' .. ARGV[1] .. '\0')) == 'table'
  return denied and 2 or 1
end
return removed
