-- Records that a process has members in a room, before the first of them joins.
-- KEYS[1] the leases
-- KEYS[2] the rooms of the process
-- ARGV[1] the process
-- ARGV[2] the room
-- ARGV[3] the ttl in ms
-- Returns 1, or 0 if the lease of the process was ended.
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not expires or tonumber(expires) <= 0 then
  return 0
end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return 1
