-- Reservations of suspects in their groups.

-- Returns whether the group has a reservation for a suspect: other jobs must not fill it up before an idle worker comes for that.
local function is_reserved(q, group)
  local reserved = redis.call('HGET', q .. META, 'kept')
  local id, of = string.match(reserved or '', '^(.*)\n(.*)$')
  return of == group and redis.call('ZSCORE', q .. SUSPECTS, id) and true or false
end

-- Reserves the next start in its group for a suspect, unless it is reserved for another one.
local function reserve(q, group, id)
  local reserved = string.match(redis.call('HGET', q .. META, 'kept') or '', '^(.*)\n')
  if not reserved or not redis.call('ZSCORE', q .. SUSPECTS, reserved) then
    redis.call('HSET', q .. META, 'kept', id .. '\n' .. group)
  end
end
