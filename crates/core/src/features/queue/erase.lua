-- Takes a job out of wherever it is, with all that belongs to it; answers whether there was one.
local function erase(q, id)
  local fields = redis.pcall('HMGET', q .. JOB .. id, 'n', 'o')
  local lease = redis.call('HGET', q .. LEASES, id)
  local given = fields[2] or lease and lease_of(lease).given
  local _, group, same = options(given)
  local going = redis.call('ZREM', q .. READY, id) + redis.call('ZREM', q .. LEASED, id) + redis.call('ZREM', q .. SUSPECTS, id)
  local found = going + redis.call('ZREM', q .. DELAYED, id) + redis.call('ZREM', q .. PARKED, id)
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
  if same ~= '' and redis.call('GET', q .. DEDUP .. same) == id then
    redis.call('DEL', q .. DEDUP .. same)
  end
  if group ~= '' then
    redis.call('ZREM', q .. GROUP_PARKED .. group, id)
    if redis.call('EXISTS', q .. GROUP_PARKED .. group) == 0 then
      redis.call('ZREM', q .. RESUME, group)
    end
    if going > 0 then
      make_room(q, id, group)
    end
  end
  if not fields.err then
    redis.call('UNLINK', q .. JOB .. id)
  end
  redis.call('UNLINK', q .. LOG .. id)
  if fields[1] or found > 0 then
    tell('removed', id, 0, '')
    return true
  end
  return false
end

-- Forgets the last number when nobody has one, so that an empty queue takes nothing.
local function forget_numbers(q)
  if redis.call('EXISTS', q .. READY, q .. DELAYED, q .. LEASED, q .. PARKED, q .. SUSPECTS) == 0 then
    redis.call('HDEL', q .. META, 'seq', 'alone', 'lone', 'way', 'seen', 'kept', 'behind', 'looked', 'since')
  end
end
