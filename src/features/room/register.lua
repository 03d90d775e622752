-- Notes that a process has seats in a room, before it takes the first: 1, or 0 where its lease is over.
-- KEYS: the leases, the rooms of the process. ARGV: process, room, life in ms.
local time = redis.call('TIME')
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends or tonumber(ends) < time[1] * 1000 + math.floor(time[2] / 1000) then
  return 0
end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
