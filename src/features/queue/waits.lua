-- The outcome of a job is kept for callers that waited before its end, even if the job itself is not kept.

-- Keeps the outcome of a job for a minute if it has waiters. An error here affects only them.
local function hand_over(q, id, waiting, state, value)
  if waiting then
    redis.pcall('HSET', q .. END .. id, 's', state, 'v', value, 'n', waiting)
    redis.pcall('PEXPIRE', q .. END .. id, 60000)
    redis.pcall('HDEL', q .. WAITED, id)
  end
end
