-- Records the count of invalidations at which a group's epoch already existed. KEYS: the epoch. ARGV: the epoch, the count.
local known = redis.call('GET', KEYS[1])
if not known or string.sub(known, 1, 16) ~= ARGV[1] then
  return 0
end
local dropped = string.match(known, ' (%d+)$') or '0'
redis.call('SET', KEYS[1], ARGV[1] .. ' ' .. ARGV[2] .. ' ' .. dropped, 'KEEPTTL')
return 1
