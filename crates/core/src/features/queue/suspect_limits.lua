-- Whether a suspect may start.

-- Returns whether a suspect is running.
local function is_suspect_running(q)
  local id = redis.call('HGET', q .. META, 'lone')
  local record = id and redis.call('HGET', q .. LEASES, id)
  return record and lease_of(record).exclusive
end

-- Returns whether a suspect of this group may start now. If only the group's rate prevents that, in how many ms it may.
local function may_start_suspect(take, group)
  local q, limits = take.q, take.limits
  if group == '' then
    return true
  end
  if limits.group > 0 and redis.call('SCARD', q .. GROUP_ACTIVE .. group) >= limits.group then
    return false, 0
  end
  if limits.group_starts > 0 then
    local room, wait = starts_available(q .. GROUP_STARTS .. group, limits.group_starts, limits.group_per, take.now, 1)
    return room > 0, wait
  end
  return true
end
