-- The outcome of a job is kept for callers that waited before its end, even if the job itself is not kept.

-- Keeps the outcome of a job for a minute if it has waiters. Where the job itself is not kept, `now` is given: whoever added it in
-- the last second may be about to wait, so its outcome is kept for two. An error here affects only waiters.
local function hand_over(q, id, waiting, state, value, now)
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
