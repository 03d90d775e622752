-- Restarts a dead job, with all its attempts, unless another unfinished job has its deduplication key. Returns whether it did.
local function restart(q, id, score)
  local job = q .. JOB .. id
  local fields = redis.pcall('HMGET', job, 'n', 'o')
  if not fields[1] then
    redis.call('ZREM', q .. DEAD, id)
    return false
  end
  local priority, _, dedup, ttl = parse_options(fields[2])
  if dedup ~= '' and ttl == '' then
    local owner = redis.call('GET', q .. DEDUP .. dedup)
    if owner and owner ~= id and redis.call('EXISTS', q .. JOB .. owner) == 1 then
      return false
    end
  end
  make_ready(q, { score_of(priority, next_numbers(q, 1)), id })
  redis.call('ZREM', q .. DEAD, id)
  redis.call('HDEL', job, 'a', 'x', 'c', 's', 'f', 'l', 'P')
  if dedup ~= '' and ttl == '' then
    redis.call('SET', q .. DEDUP .. dedup, id)
  end
  if redis.call('EXISTS', q .. DEAD) == 0 then
    redis.call('HDEL', q .. META, DEAD)
  else
    redis.call('HINCRBY', q .. META, DEAD, -size_of(score))
  end
  emit('retried', id, 0, '')
  return true
end
