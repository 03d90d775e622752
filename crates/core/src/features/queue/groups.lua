-- Groups: a job whose group has no room is parked. Whatever ends one that was active lets the first of those parked go on,
-- so that while any are parked one of their group is active or ready, or the group's time to go on is known.

-- Makes the first so many parked jobs of a group ready, each in its old place.
local function unpark(q, group, most)
  local first = redis.call('ZRANGE', q .. GROUP_PARKED .. group, 0, most - 1, 'WITHSCORES')
  if #first == 0 then
    return
  end
  local places, ids = {}, {}
  for i = 1, #first, 2 do
    ids[#ids + 1] = first[i]
    places[i], places[i + 1] = first[i + 1], first[i]
  end
  make_ready(q, places)
  redis.call('ZREM', q .. PARKED, unpack(ids))
  redis.call('ZREM', q .. GROUP_PARKED .. group, unpack(ids))
  if redis.call('EXISTS', q .. GROUP_PARKED .. group) == 0 then
    redis.call('ZREM', q .. RESUME, group)
  end
end

-- A job of a group is not active any more, but ready.
local function leave(q, id, group)
  if group ~= '' then
    redis.call('SREM', q .. GROUP_ACTIVE .. group, id)
  end
end

-- A job of a group is neither active nor ready any more.
local function make_room(q, id, group)
  if group ~= '' then
    redis.call('SREM', q .. GROUP_ACTIVE .. group, id)
    unpark(q, group, 1)
  end
end
