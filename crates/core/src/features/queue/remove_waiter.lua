-- Removes a waiter of a job.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  id
--
-- Returns 1.
local q, id = KEYS[1], ARGV[1]
local waiting = redis.call('HGET', q .. WAITERS, id)
if waiting then
  if tonumber(waiting) > 1 then
    redis.call('HINCRBY', q .. WAITERS, id, -1)
  else
    redis.call('HDEL', q .. WAITERS, id)
  end
  return 1
end
local left = redis.call('HGET', q .. OUTCOME .. id, 'n')
if left and tonumber(left) > 1 then
  redis.call('HINCRBY', q .. OUTCOME .. id, 'n', -1)
elseif left then
  redis.call('UNLINK', q .. OUTCOME .. id)
end
return 1
