-- Removes a member. The last member of a user removes the user from the room.
-- KEYS[1] the users
-- KEYS[2] the number of members of each user
-- KEYS[3] the memberships of the process
-- ARGV[1] the user
-- ARGV[2] the member
-- ARGV[3] the channel of changes
-- Returns 1 if the user was removed, 2 if publishing that was denied, otherwise 0.
local present = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
if redis.call('SREM', KEYS[3], ARGV[2] .. '\0' .. ARGV[1]) == 0 then
  return 0
end
if redis.call('HINCRBY', KEYS[2], ARGV[1], -1) > 0 then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
if not present then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
local denied = type(redis.pcall('PUBLISH', ARGV[3], 'leave\0' .. ARGV[1] .. '\0')) == 'table'
return denied and 2 or 1
