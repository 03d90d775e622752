-- Gives a connection of a user a seat in a room: 1, or 0 where it has it already, or -1 where its process was swept out; 2 if a
-- message was published, 3 if that was denied.
-- KEYS: the users, their connections, the seats of the process, the mark of its end.
-- ARGV: user, connection, JSON, life in ms, channel.
if redis.call('EXISTS', KEYS[4]) == 1 then
  return -1
end
-- Looked at before anything is written: a documented key may hold something else.
local there = redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1
local seated = redis.call('SADD', KEYS[3], ARGV[2] .. '\0' .. ARGV[1])
if seated == 1 then
  local first = redis.call('HINCRBY', KEYS[2], ARGV[1], 1) == 1
  if first or not there then
    redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
    local what = there and 'update' or 'join'
    local denied = type(redis.pcall('PUBLISH', ARGV[5], what .. '\0' .. ARGV[1] .. '\0' .. ARGV[3])) == 'table'
    seated = denied and 3 or 2
  end
end
for i = 1, 3 do
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
return seated
