-- Whoever waits for a job before its end gets what came of it, though nothing else of it may be kept.

-- Keeps for a minute how a job ended, if anybody waits for it. Where that fails, only they have lost something.
local function hand_over(q, id, waiting, state, value)
  if waiting then
    redis.pcall('HSET', q .. END .. id, 's', state, 'v', value, 'n', waiting)
    redis.pcall('PEXPIRE', q .. END .. id, 60000)
    redis.pcall('HDEL', q .. WAITED, id)
  end
end
