-- Removes a job from whatever state it is in, with everything that belongs to it. Returns whether there was one.
local function erase(q, id)
  local fields = redis.pcall('HMGET', q .. JOB .. id, 'n', 'o')
  local lease = redis.call('HGET', q .. LEASES, id)
  local options = fields[2] or lease and lease_of(lease).options
  local _, group, dedup = parse_options(options)
  local freed = redis.call('ZREM', q .. READY, id) + redis.call('ZREM', q .. LEASED, id) + redis.call('ZREM', q .. SUSPECTS, id)
  local found = freed + redis.call('ZREM', q .. DELAYED, id) + redis.call('ZREM', q .. PARKED, id)
  for _, set in ipairs({ DONE, DEAD }) do
    local score = redis.call('ZSCORE', q .. set, id)
    if score then
      redis.call('ZREM', q .. set, id)
      found = found + 1
      if redis.call('EXISTS', q .. set) == 0 then
        redis.call('HDEL', q .. META, set)
      else
        redis.call('HINCRBY', q .. META, set, -size_of(score))
      end
    end
  end
  redis.call('HDEL', q .. LEASES, id)
  redis.call('HDEL', q .. WAITERS, id)
  if dedup ~= '' and redis.call('GET', q .. DEDUP .. dedup) == id then
    redis.call('DEL', q .. DEDUP .. dedup)
  end
  if group ~= '' then
    redis.call('ZREM', q .. GROUP_PARKED .. group, id)
    if redis.call('EXISTS', q .. GROUP_PARKED .. group) == 0 then
      redis.call('ZREM', q .. RESUME, group)
    end
    if freed > 0 then
      leave_group(q, id, group)
    end
  end
  if not fields.err then
    redis.call('UNLINK', q .. JOB .. id)
  end
  redis.call('UNLINK', q .. LOG .. id)
  if fields[1] or found > 0 then
    emit('removed', id, 0, '')
    return true
  end
  return false
end

-- Resets the job number if the queue has no unfinished jobs, so that an empty queue takes no memory.
local function reset_numbers(q)
  if redis.call('EXISTS', q .. READY, q .. DELAYED, q .. LEASED, q .. PARKED, q .. SUSPECTS) == 0 then
    redis.call('HDEL', q .. META, 'seq', 'alone', 'lone', 'way', 'seen', 'kept', 'behind', 'looked', 'since')
  end
end
