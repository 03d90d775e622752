-- Ends the expired lease of a process permanently; if it has no rooms left, removes the process.
-- KEYS[1] the leases
-- KEYS[2] the rooms of the process
-- ARGV[1] the process
-- ARGV[2] how many rooms to return
-- Returns some rooms of the process; none if its lease has not expired.
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not expires or tonumber(expires) >= now_ms() then
  return {}
end
local rooms = redis.call('SRANDMEMBER', KEYS[2], ARGV[2])
if #rooms == 0 then
  redis.call('ZREM', KEYS[1], ARGV[1])
elseif tonumber(expires) > 0 then
  redis.call('ZADD', KEYS[1], 0, ARGV[1])
end
return rooms
