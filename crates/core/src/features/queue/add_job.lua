-- Adds a job, unless its id is taken or an unfinished job has the same deduplication key. Returns 1, or the id of the existing
-- job.
-- `options` and `delay`, in ms, are '' for none; `chosen` is '' if no other caller can have generated the id. `named` is the id of
-- the only other job whose key may be used, or true for any: if another job has the deduplication key, nothing is done, and the
-- id of that job is returned in a list.
local function add(q, channels, id, name, data, options, delay, chosen, named)
  local batch = batch_of(q, channels)
  if delay ~= '' then
    redis.call('ZCARD', q .. DELAYED)
  end
  local priority, _, dedup, ttl = parse_options(options)
  local owner = dedup ~= '' and redis.call('GET', q .. DEDUP .. dedup)
  -- If the store lost the owner, its deduplication key no longer counts, unless it was set for a time.
  if owner and owner ~= id then
    if redis.call('PTTL', q .. DEDUP .. dedup) > 0 then
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
  if options == '' then
    new = redis.call('HSET', job, 'n', name, 'd', data, 't', now)
  else
    new = redis.call('HSET', job, 'n', name, 'd', data, 't', now, 'o', options)
  end
  -- No other caller can have generated this id: the request was sent twice.
  if new == 0 then
    return 1
  end
  if dedup ~= '' then
    if ttl == '' then
      redis.call('SET', q .. DEDUP .. dedup, id)
    else
      redis.call('SET', q .. DEDUP .. dedup, id, 'PX', ttl)
    end
  end
  put(batch, id, name, priority, delay)
  return 1
end
