-- Takes some seats of a dead process away, as many leaves would; answers how many are left; where publishing was denied,
-- how many below -1. No join of it counts from here on.
-- KEYS: the users, their connections, the seats of the process, the mark of its end.
-- ARGV: how many, life of the mark in ms, channel.
redis.call('HLEN', KEYS[1])
redis.call('SET', KEYS[4], 1, 'PX', ARGV[2])
local left = {}
for _, seat in ipairs(redis.call('SPOP', KEYS[3], ARGV[1])) do
  local user = string.sub(seat, string.find(seat, '\0', 1, true) + 1)
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
