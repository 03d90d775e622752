-- A job as those see it who look from outside: state, what belongs to the state, and its fields.
local function view(q, id, state, score)
  local fields = redis.pcall('HMGET', q .. JOB .. id, 'n', 'd', 't', 'o', 'a', 'x', 's', 'f', 'P', 'r', 'e')
  if not fields[1] then
    return false
  end
  local attempt, started, due = fields[5], fields[7], false
  if state == 'active' then
    local lease = lease_of(redis.call('HGET', q .. LEASES, id) or '')
    attempt, started = lease.attempt, lease.started
  elseif state == 'delayed' then
    due = math.floor(score / 2048)
  end
  return { id, state, attempt or '0', started or '', due or '', fields }
end
