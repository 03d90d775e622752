-- Removes some members of a dead process, as if they had left, and leaves a tombstone, so that none of its joins counts any more.
-- KEYS[1] the users
-- KEYS[2] the number of members of each user
-- KEYS[3] the memberships of the process
-- KEYS[4] the tombstone of the process
-- ARGV[1] how many members to remove
-- ARGV[2] the ttl of the tombstone in ms
-- ARGV[3] the channel of changes
-- Returns how many members are left; if publishing was denied, -1 minus that.
redis.call('HLEN', KEYS[1])
redis.call('SET', KEYS[4], 1, 'PX', ARGV[2])
local left = {}
for _, membership in ipairs(redis.call('SPOP', KEYS[3], ARGV[1])) do
  local user = string.sub(membership, string.find(membership, '\0', 1, true) + 1)
  if redis.call('HINCRBY', KEYS[2], user, -1) <= 0 then
    redis.call('HDEL', KEYS[2], user)
    if redis.call('HDEL', KEYS[1], user) == 1 then
      left[#left + 1] = 'leave\0' .. user .. '\0'
    end
  end
end
local rest = redis.call('SCARD', KEYS[3])
if #left > 0 and type(redis.pcall('PUBLISH', ARGV[3], table.concat(left, '\0'))) == 'table' then
  return -1 - rest
end
return rest
