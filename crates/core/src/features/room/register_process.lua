-- Records that a process has members in a room, before the first one joins. Returns 1, or 0 if its lease was ended.
-- KEYS: the leases, the rooms of the process. ARGV: process, room, life in ms.
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends or tonumber(ends) <= 0 then
  return 0
end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
