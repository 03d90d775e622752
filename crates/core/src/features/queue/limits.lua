-- The limits of a take, and what this run has used of them.

-- Returns how many of `wanted` jobs may start if any `per` ms allow `max` starts, and in how many ms one more may. The list
-- has the last `max` starts: the next is allowed when the first of them has left the window. A start in the future was written
-- before the clock was set back, and does not count.
local function starts_available(list, max, per, now, wanted)
  for n = 1, math.min(wanted, max) do
    local start = tonumber(redis.call('LINDEX', list, n - 1 - max) or 0)
    if start > now - per and start <= now then
      return n - 1, start + per - now
    end
  end
  return math.min(wanted, max), per
end

local function note_starts(list, max, per, now, count)
  if max > 0 then
    local starts = {}
    for n = 1, count do
      starts[n] = now
    end
    redis.call('RPUSH', list, unpack(starts))
    redis.call('LTRIM', list, -max, -1)
    redis.call('PEXPIRE', list, per)
  end
end

-- Returns how many more jobs of a group may start in this run, at most `wanted`. If its rate is the limit, `wait` is in how many
-- ms more may.
local capacities = {}
local function group_capacity(q, group, limits, now, wanted)
  local room = capacities[group]
  if not room then
    local reserved = is_reserved(q, group) and 1 or 0
    room = { left = wanted }
    if limits.group > 0 then
      room.left = math.min(wanted, limits.group - redis.call('SCARD', q .. GROUP_ACTIVE .. group) - reserved)
    end
    if limits.group_starts > 0 and room.left > 0 then
      local list = q .. GROUP_STARTS .. group
      room.left, room.wait = starts_available(list, limits.group_starts, limits.group_per, now, room.left + reserved)
      room.left = room.left - reserved
    end
    capacities[group] = room
  end
  return room
end

-- Parks a ready job until its group is no longer full.
local function park(q, group, id, score, now)
  redis.call('ZADD', q .. GROUP_PARKED .. group, score, id)
  redis.call('ZADD', q .. PARKED, score, id)
  if capacities[group].wait then
    redis.call('ZADD', q .. RESUME, now + capacities[group].wait, group)
  end
  redis.call('ZREM', q .. READY, id)
end
