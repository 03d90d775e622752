-- Brings a dead job back to life: it starts anew, with all its attempts. Not while another that is the same has not
-- finished. Answers whether it did.
local function revive(q, id, score)
  local job = q .. JOB .. id
  local fields = redis.pcall('HMGET', job, 'n', 'o')
  if not fields[1] then
    redis.call('ZREM', q .. DEAD, id)
    return false
  end
  local priority, _, same, ttl = options(fields[2])
  if same ~= '' and ttl == '' then
    local owner = redis.call('GET', q .. DEDUP .. same)
    if owner and owner ~= id and redis.call('EXISTS', q .. JOB .. owner) == 1 then
      return false
    end
  end
  make_ready(q, { place(priority, numbers(q, 1)), id })
  redis.call('ZREM', q .. DEAD, id)
  redis.call('HDEL', job, 'a', 'x', 'c', 's', 'f', 'l', 'P')
  if same ~= '' and ttl == '' then
    redis.call('SET', q .. DEDUP .. same, id)
  end
  if redis.call('EXISTS', q .. DEAD) == 0 then
    redis.call('HDEL', q .. META, DEAD)
  else
    redis.call('HINCRBY', q .. META, DEAD, -size_of(score))
  end
  tell('retried', id, 0, '')
  return true
end
