-- Removes a waiter of a job. KEYS: the queue. ARGV: id.
local q, id = KEYS[1], ARGV[1]
local waiting = redis.call('HGET', q .. WAITED, id)
if waiting then
  if tonumber(waiting) > 1 then
    redis.call('HINCRBY', q .. WAITED, id, -1)
  else
    redis.call('HDEL', q .. WAITED, id)
  end
  return 1
end
local left = redis.call('HGET', q .. END .. id, 'n')
if left and tonumber(left) > 1 then
  redis.call('HINCRBY', q .. END .. id, 'n', -1)
elseif left then
  redis.call('UNLINK', q .. END .. id)
end
return 1
