-- Limits of a take, and what of them is left in this run.

-- How many of `wanted` may start where any span of `per` ms admits `max` starts, and in how many ms one more may. The list
-- has the last `max` starts: the next is free when the first of them is out of the span. One in the future was written by a
-- clock that was set back, and counts for nothing.
local function room_in(list, max, per, now, wanted)
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

-- How many more jobs of a group may start in this run, at most `wanted`. Where its rate says so, in how many ms more may.
local rooms = {}
local function room_of(q, group, limits, now, wanted)
  local room = rooms[group]
  if not room then
    local reserved = is_reserved(q, group) and 1 or 0
    room = { left = wanted }
    if limits.group > 0 then
      room.left = math.min(wanted, limits.group - redis.call('SCARD', q .. GROUP_ACTIVE .. group) - reserved)
    end
    if limits.group_starts > 0 and room.left > 0 then
      local list = q .. GROUP_STARTS .. group
      room.left, room.wait = room_in(list, limits.group_starts, limits.group_per, now, room.left + reserved)
      room.left = room.left - reserved
    end
    rooms[group] = room
  end
  return room
end

-- Takes a job out of those that are ready until its group has room.
local function park(q, group, id, score, now)
  redis.call('ZADD', q .. GROUP_PARKED .. group, score, id)
  redis.call('ZADD', q .. PARKED, score, id)
  if rooms[group].wait then
    redis.call('ZADD', q .. RESUME, now + rooms[group].wait, group)
  end
  redis.call('ZREM', q .. READY, id)
end
