-- What a take does besides taking.

-- Lets groups go on whose rate has room again, and no more of each than it admits. The others of theirs follow as these end.
local function resume(q, now, limits)
  local most = limits.group_starts > 0 and math.min(limits.group_starts, 100) or 100
  for _, group in ipairs(redis.call('ZRANGEBYSCORE', q .. RESUME, '-inf', now, 'LIMIT', 0, 20)) do
    redis.call('ZREM', q .. RESUME, group)
    unpark(q, group, most)
  end
end

-- Where nothing is ready: lets parked jobs go on whose groups have room however they came to it, by a limit that was raised
-- or a worker without one. It looks at the first few; all others go on when a job of their group ends.
local function probe(take)
  local q, found, first = take.q, false, nil
  first = redis.call('ZRANGE', take.q .. PARKED, 0, 9)
  for _, id in ipairs(first) do
    local given = redis.pcall('HMGET', q .. JOB .. id, 'o')[1]
    local _, group = options(given)
    if group == '' then
      redis.call('ZREM', q .. PARKED, id)
    else
      local room = room_of(q, group, take.limits, take.now, take.ceiling)
      if room.left > 0 then
        unpark(q, group, room.left)
        found = true
      end
    end
  end
  return found
end

-- In how many ms something is due; at the latest what is known already.
local function soonest(q, now, known)
  local function look(first, unit)
    if first[2] then
      known = math.min(known or math.huge, math.max(0, math.floor(first[2] / unit) - now))
    end
  end
  look(redis.call('ZRANGE', q .. LEASED, 0, 0, 'WITHSCORES'), 1)
  look(redis.call('ZRANGE', q .. DELAYED, 0, 0, 'WITHSCORES'), 2048)
  look(redis.call('ZRANGE', q .. RESUME, 0, 0, 'WITHSCORES'), 1)
  -- Those that are due were answered: whoever cannot deal with one must not ask without end.
  look(redis.call('ZRANGEBYSCORE', q .. REPEATS, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1), 1)
  return known
end
