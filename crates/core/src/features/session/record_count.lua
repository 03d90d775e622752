-- Records the count of invalidations at which the epoch of a group already existed.
-- KEYS[1] the epoch of the group
-- ARGV[1] the expected epoch
-- ARGV[2] the count
-- Returns 1, or 0 if the group has another epoch.
local known = redis.call('GET', KEYS[1])
if not known or string.sub(known, 1, 16) ~= ARGV[1] then
  return 0
end
local dropped = string.match(known, ' (%d+)$') or '0'
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. dropped, 'KEEPTTL')
return 1
