-- Puts back jobs whose workers crashed, each in its old place, or buries one with which too many did. At most 100 in a run,
-- then true: there may be more. It writes in an order in which an error loses no job.
local function reap(q, now, crashes, reason, keep)
  local ids = redis.call('ZRANGEBYSCORE', q .. LEASED, '-inf', now, 'LIMIT', 0, 100)
  if #ids == 0 then
    return false
  end
  local records = redis.call('HMGET', q .. LEASES, unpack(ids))
  redis.call('ZCARD', q .. READY)
  begin(q)
  local back, dead, added = {}, {}, 0
  for i, id in ipairs(ids) do
    -- A lease without its record loses the job's place; one without its job is about nothing.
    local job, lease = q .. JOB .. id, lease_of(records[i] or '')
    local fields = redis.pcall('HMGET', job, 'n', 'o', 'x')
    local priority, group, same, ttl = options(fields[2] or lease.given)
    local crashed = (tonumber(fields[3] or 0) or 0) + 1
    if not fields[1] then
      make_room(q, id, group)
    elseif crashed < crashes then
      leave(q, id, group)
      redis.call('HSET', job, 'x', crashed)
      push(back, lease.score or place(priority, numbers(q, 1)), id)
      tell('stalled', id, crashed, '')
    else
      local size = packed(lease.bytes + #reason)
      redis.call('HSET', job, 'x', crashed, 'e', reason, 'f', now)
      push(dead, now * 2048 + size, id)
      added = added + size_of(size)
      free(q, id, same, ttl)
      make_room(q, id, group)
      tell('dead', id, lease.attempt - 1, reason)
    end
  end
  make_ready(q, back)
  bury(q, DEAD, dead)
  redis.call('ZREM', q .. LEASED, unpack(ids))
  redis.call('HDEL', q .. LEASES, unpack(ids))
  if #dead > 0 then
    trim(q, DEAD, now, keep, added)
  end
  return #ids == 100
end
