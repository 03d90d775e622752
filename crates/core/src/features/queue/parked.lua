-- Parked jobs that may continue without the end of another job of their group.

-- Makes parked jobs ready whose group's rate allows starts again, no more of each than it allows. The others follow as these end.
local function resume_groups(q, now, limits)
  local most = limits.group_starts > 0 and math.min(limits.group_starts, 100) or 100
  for _, group in ipairs(redis.call('ZRANGEBYSCORE', q .. RESUME, '-inf', now, 'LIMIT', 0, 20)) do
    redis.call('ZREM', q .. RESUME, group)
    unpark(q, group, most)
  end
end

-- Call when nothing is ready: makes parked jobs ready whose groups are not full for any other reason, because a limit was raised or
-- this worker has none. Examines the first few; the others continue when a job of their group ends. Returns whether it found any.
local function probe_parked(take)
  local q, found, first = take.q, false, nil
  first = redis.call('ZRANGE', take.q .. PARKED, 0, 9)
  for _, id in ipairs(first) do
    local options = redis.pcall('HMGET', q .. JOB .. id, 'o')[1]
    local _, group = parse_options(options)
    if group == '' then
      redis.call('ZREM', q .. PARKED, id)
    else
      local room = group_capacity(q, group, take.limits, take.now, take.ceiling)
      if room.left > 0 then
        unpark(q, group, room.left)
        found = true
      end
    end
  end
  return found
end
