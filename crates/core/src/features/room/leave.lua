-- Takes a connection's seat away, once; the last one takes its user out of the room. Answers 1 where the user has left, 2
-- if publishing that was denied.
-- KEYS: the users, their connections, the seats of the process. ARGV: user, connection, channel.
local there = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
if redis.call('SREM', KEYS[3], ARGV[2] .. '\0' .. ARGV[1]) == 0 then
  return 0
end
if redis.call('HINCRBY', KEYS[2], ARGV[1], -1) > 0 then
  return 0
end
redis.call('HDEL', KEYS[2], ARGV[1])
if not there then
  return 0
end
redis.call('HDEL', KEYS[1], ARGV[1])
local denied = type(redis.pcall('PUBLISH', ARGV[3], 'leave\0' .. ARGV[1] .. '\0')) == 'table'
return denied and 2 or 1
