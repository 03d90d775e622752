-- Adds a job, unless its id is taken or an unfinished job has the same deduplication key. Returns 1, or the id of the existing
-- job.
-- `given` and `delay` in ms are '' where there are none, `chosen` where nobody else can have made the id. `named` is the only other
-- job that may be looked at, true for any: where one that is the same is not that, nothing is done, and its id is answered in a list.
local function add(q, channels, id, name, data, given, delay, chosen, named)
  local batch = batch_of(q, channels)
  if delay ~= '' then
    redis.call('ZCARD', q .. DELAYED)
  end
  local priority, _, same, ttl = options(given)
  local owner = same ~= '' and redis.call('GET', q .. DEDUP .. same)
  -- Whose job is gone, a store that lost it has forgotten; only what was to hold for a time holds without its job.
  if owner and owner ~= id then
    if redis.call('PTTL', q .. DEDUP .. same) > 0 then
      return owner
    end
    if named ~= true and named ~= owner then
      return { owner }
    end
    if redis.call('EXISTS', q .. JOB .. owner) == 1 then
      return owner
    end
  end
  local job, new = q .. JOB .. id, nil
  if chosen ~= '' and redis.call('EXISTS', job) == 1 then
    return id
  end
  if given == '' then
    new = redis.call('HSET', job, 'n', name, 'd', data, 't', now)
  else
    new = redis.call('HSET', job, 'n', name, 'd', data, 't', now, 'o', given)
  end
  -- Nobody else makes this id: it is this very job, sent again.
  if new == 0 then
    return 1
  end
  if same ~= '' then
    if ttl == '' then
      redis.call('SET', q .. DEDUP .. same, id)
    else
      redis.call('SET', q .. DEDUP .. same, id, 'PX', ttl)
    end
  end
  put(batch, id, name, priority, delay)
  return 1
end
