-- Groups: a job whose group is full is parked. When an active job of the group ends, the first parked one is made ready. So while
-- any are parked, one of their group is active or ready, or it is known when the group may resume.

-- Makes the first `most` parked jobs of a group ready, each at its old position.
local function unpark(q, group, most)
  local first = redis.call('ZRANGE', q .. GROUP_PARKED .. group, 0, most - 1, 'WITHSCORES')
  if #first == 0 then
    return
  end
  local entries, ids = {}, {}
  for i = 1, #first, 2 do
    ids[#ids + 1] = first[i]
    entries[i], entries[i + 1] = first[i + 1], first[i]
  end
  make_ready(q, entries)
  redis.call('ZREM', q .. PARKED, unpack(ids))
  redis.call('ZREM', q .. GROUP_PARKED .. group, unpack(ids))
  if redis.call('EXISTS', q .. GROUP_PARKED .. group) == 0 then
    redis.call('ZREM', q .. RESUME, group)
  end
end

-- Call when an active job of a group becomes ready.
local function deactivate(q, id, group)
  if group ~= '' then
    redis.call('SREM', q .. GROUP_ACTIVE .. group, id)
  end
end

-- Call when an active or ready job of a group is neither any more.
local function leave_group(q, id, group)
  if group ~= '' then
    redis.call('SREM', q .. GROUP_ACTIVE .. group, id)
    unpark(q, group, 1)
  end
end
