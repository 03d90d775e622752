-- Registers a member. The first member of a user adds the user to the room.
-- KEYS[1] the users
-- KEYS[2] the number of members of each user
-- KEYS[3] the memberships of the process
-- KEYS[4] the tombstone of the process
-- ARGV[1] the user
-- ARGV[2] the member
-- ARGV[3] the info as JSON
-- ARGV[4] the ttl in ms
-- ARGV[5] the channel of changes
-- Returns 1, or 0 if the member was registered already; 2 if that was published, 3 if publishing was denied; -1 if the process was
-- swept from this room.
if redis.call('EXISTS', KEYS[4]) == 1 then
  return -1
end
-- Read before anything is written, because the key may hold another type.
local present = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
local result = redis.call('SADD', KEYS[3], ARGV[2] .. '\0' .. ARGV[1])
if result == 1 then
  local first = redis.call('HINCRBY', KEYS[2], ARGV[1], 1) == 1
  if first or not present then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
    local what = present and 'update' or 'join'
    local denied = type(redis.pcall('PUBLISH', ARGV[5], what .. '\0' .. ARGV[1] .. '\0' .. ARGV[3])) == 'table'
    result = denied and 3 or 2
  end
end
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
return result
