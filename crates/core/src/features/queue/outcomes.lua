-- The outcome of a job is stored for callers that waited before its end, even if the job itself is not retained.

-- Stores the outcome of a job for a minute if it has waiters. If the job itself is not retained, `now` is given: the caller that
-- added it in the last second may be about to wait, so its outcome is stored for two. An error here affects only waiters.
local function store_outcome(q, id, waiting, state, value, now)
  local ms = waiting and 60000
  if now and not waiting and now - (tonumber(redis.pcall('HMGET', q .. JOB .. id, 't')[1] or 0) or 0) < 1000 then
    ms = 2000
  end
  if ms then
    redis.pcall('HSET', q .. OUTCOME .. id, 's', state, 'v', value, 'n', waiting or 1)
    redis.pcall('PEXPIRE', q .. OUTCOME .. id, ms)
  end
  if waiting then
    redis.pcall('HDEL', q .. WAITERS, id)
  end
end
