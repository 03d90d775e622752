-- Restarts a dead job, or makes a delayed one ready now.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  id
--
-- Returns 1 if it did; 0 otherwise.
local q, id = KEYS[1], ARGV[1]
local score, retried = redis.call('ZSCORE', q .. DEAD, id), 0
if score then
  retried = restart(q, id, score) and 1 or 0
elseif redis.call('ZSCORE', q .. DELAYED, id) then
  local options = redis.pcall('HMGET', q .. JOB .. id, 'o')[1]
  make_ready(q, { score_of((parse_options(options)), next_numbers(q, 1)), id })
  redis.call('ZREM', q .. DELAYED, id)
  emit('retried', id, 0, '')
  retried = 1
end
publish(q)
return retried
