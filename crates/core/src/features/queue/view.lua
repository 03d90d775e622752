-- Builds a job as callers see it: id, state, attempt, start time, due time, fields.
local function view(q, id, state, score)
  local fields = redis.pcall('HMGET', q .. JOB .. id, 'n', 'd', 't', 'o', 'a', 'x', 's', 'f', 'P', 'r', 'e')
  if not fields[1] then
    return false
  end
  local attempt, started, due = fields[5], fields[7], false
  if state == 'active' then
    local lease = lease_of(redis.call('HGET', q .. LEASES, id) or '')
    if lease.started ~= '' then
      attempt, started = lease.attempt, lease.started
    end
  elseif state == 'delayed' then
    due = math.floor(score / 2048)
  end
  return { id, state, attempt or '0', started or '', due or '', fields }
end

-- Returns a job in any state, or nil if there is no such job.
local function find(q, id)
  local states = { { LEASED, 'active' }, { DELAYED, 'delayed' }, { DONE, 'done' }, { DEAD, 'dead' } }
  for _, state in ipairs(states) do
    local score = redis.call('ZSCORE', q .. state[1], id)
    if score then
      return view(q, id, state[2], score)
    end
  end
  return view(q, id, 'ready', 0)
end
