-- Returns in how many ms something is due, at most `known`; nil if nothing is.
local function next_due(q, now, known)
  local function consider(first, unit)
    if first[2] then
      known = math.min(known or math.huge, math.max(0, math.floor(first[2] / unit) - now))
    end
  end
  consider(redis.call('ZRANGE', q .. LEASED, 0, 0, 'WITHSCORES'), 1)
  consider(redis.call('ZRANGE', q .. DELAYED, 0, 0, 'WITHSCORES'), 2048)
  consider(redis.call('ZRANGE', q .. RESUME, 0, 0, 'WITHSCORES'), 1)
  -- Repeats that are due are in the reply: a worker that cannot fire one must not poll endlessly.
  consider(redis.call('ZRANGEBYSCORE', q .. REPEATS, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1), 1)
  return known
end
