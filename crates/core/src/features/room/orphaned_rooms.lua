-- Ends the expired lease of a process permanently and returns some of its rooms; if none are left, removes the process.
-- KEYS: the leases, the rooms of the process. ARGV: process, how many.
local time = redis.call('TIME')
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends or tonumber(ends) >= time[1] * 1000 + math.floor(time[2] / 1000) then
  return {}
end
local rooms = redis.call('SRANDMEMBER', KEYS[2], ARGV[2])
if #rooms == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
elseif tonumber(ends) > 0 then
  redis.call('ZADD', KEYS[1], 0, ARGV[1])
end
return rooms
