-- Reclaims jobs whose workers crashed. A job that had started is charged with a crash, and is dead after too many; one that had
-- not started is not. Any that had started may have caused the crash, but mostly none did, so all are ready again at once; from its
-- second crash on, or earlier if the next could be its last, a job is a suspect. Handles at most 100 jobs and then returns true:
-- there may be more. `died` receives id and name of dead jobs. Writes in an order in which no error loses a job.
local function reclaim(q, now, crashes, reason, keep, died)
  local ids = redis.call('ZRANGEBYSCORE', q .. LEASED, '-inf', now, 'LIMIT', 0, 100)
  if #ids == 0 then
    return false
  end
  local records = redis.call('HMGET', q .. LEASES, unpack(ids))
  redis.call('ZCARD', q .. SUSPECTS)
  begin_writing(q)
  local back, suspects, dead, added = {}, {}, {}, 0
  local suspected = math.max(1, math.min(2, crashes - 1))
  for i, id in ipairs(ids) do
    -- Without the record of the lease the job loses its position; without the job there is nothing to reclaim.
    local job, lease = q .. JOB .. id, lease_of(records[i] or '')
    local fields = redis.pcall('HMGET', job, 'n', 'o', 'x')
    local priority, group, dedup, ttl = parse_options(fields[2] or lease.options)
    local crashed = tonumber(fields[3] or 0) or 0
    local had_begun = lease.started ~= ''
    if had_begun then
      crashed = crashed + 1
    end
    if not fields[1] then
      leave_group(q, id, group)
    elseif not had_begun or crashed < crashes then
      deactivate(q, id, group)
      push(had_begun and crashed >= suspected and suspects or back, lease.score or score_of(priority, next_numbers(q, 1)), id)
      -- A job that killed its worker at once was not known to have started, so from now on its start is stored first.
      redis.call('HSET', job, 'c', 1)
      if had_begun then
        redis.call('HSET', job, 'x', crashed)
        emit('stalled', id, crashed, '')
      end
    else
      local size = encode_size(lease.bytes + #reason)
      redis.call('HSET', job, 'x', crashed, 'e', reason, 'f', now)
      push(dead, now * 2048 + size, id)
      push(died, id, fields[1])
      added = added + size_of(size)
      free_dedup(q, id, dedup, ttl)
      leave_group(q, id, group)
      store_outcome(q, id, redis.call('HGET', q .. WAITERS, id), 'dead', reason)
      emit('dead', id, lease.attempt - 1, reason)
    end
  end
  make_ready(q, back)
  add_suspects(q, suspects)
  if #suspects > 0 then
    redis.call('HSET', q .. META, 'alone', now)
  end
  add_finished(q, DEAD, dead)
  redis.call('ZREM', q .. LEASED, unpack(ids))
  redis.call('HDEL', q .. LEASES, unpack(ids))
  if #dead > 0 then
    trim(q, DEAD, now, keep, added)
  end
  return #ids == 100
end
