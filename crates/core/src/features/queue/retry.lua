-- Has a dead job start anew, or a delayed one at once. KEYS: the queue. ARGV: id. Answers whether it did.
local q, id = KEYS[1], ARGV[1]
local score, retried = redis.call('ZSCORE', q .. DEAD, id), 0
if score then
  retried = revive(q, id, score) and 1 or 0
elseif redis.call('ZSCORE', q .. DELAYED, id) then
  local given = redis.pcall('HMGET', q .. JOB .. id, 'o')[1]
  make_ready(q, { place((options(given)), numbers(q, 1)), id })
  redis.call('ZREM', q .. DELAYED, id)
  tell('retried', id, 0, '')
  retried = 1
end
publish(q)
return retried
