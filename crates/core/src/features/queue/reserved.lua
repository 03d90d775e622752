-- Places of suspects in their groups.

-- Whether a place in a group is reserved for a suspect: others must not take every place before an idle worker comes for it.
local function is_reserved(q, group)
  local kept = redis.call('HGET', q .. META, 'kept')
  local id, of = string.match(kept or '', '^(.*)\n(.*)$')
  return of == group and redis.call('ZSCORE', q .. SUSPECTS, id) and true or false
end

-- Reserves the next place in its group for a suspect, unless one is reserved for another.
local function reserve(q, group, id)
  local kept = string.match(redis.call('HGET', q .. META, 'kept') or '', '^(.*)\n')
  if not kept or not redis.call('ZSCORE', q .. SUSPECTS, kept) then
    redis.call('HSET', q .. META, 'kept', id .. '\n' .. group)
  end
end
