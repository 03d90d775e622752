-- The leases of one pass of a take. They are written together, in an order in which no error loses a job.

-- The attempts that a job has had. Another program may have written anything there; what is no count would keep the job, and those
-- that end together with it, from ending.
local function attempts_of(text)
  local count = tonumber(text or 0) or 0
  return count >= 0 and count < 1e9 and math.floor(count) or 0
end

-- Records a job's lease. A suspect starts immediately; the start of others is reported later.
local function lease(take, pass, id, score, fields, group, exclusive)
  local attempt = attempts_of(fields[5]) + 1
  local record = {
    token = take.token, score = score, attempt = attempt, bytes = #(fields[2] or ''),
    started = exclusive and string.format('%.0f', take.now) or '', exclusive = exclusive, options = fields[4],
  }
  push(pass.records, id, record_of(record))
  push(pass.leases, take.now + take.lease, id)
  if group ~= '' then
    pass.groups[group] = pass.groups[group] or {}
    table.insert(pass.groups[group], id)
  end
  push(take.jobs, id, fields)
  if exclusive then
    emit('active', id, attempt, '')
  end
end

-- Writes the leases of the jobs that a pass has taken from a set.
local function write_leases(take, pass, set)
  local q, limits = take.q, take.limits
  if #pass.records > 0 then
    redis.call('HSET', q .. LEASES, unpack(pass.records))
    redis.call('ZADD', q .. LEASED, unpack(pass.leases))
    for group, ids in pairs(pass.groups) do
      redis.call('SADD', q .. GROUP_ACTIVE .. group, unpack(ids))
      note_starts(q .. GROUP_STARTS .. group, limits.group_starts, limits.group_per, take.now, #ids)
    end
    note_starts(q .. STARTS, limits.starts, limits.per, take.now, #pass.records / 2)
  end
  if #pass.ids > 0 then
    redis.call('ZREM', q .. set, unpack(pass.ids))
  end
end

local function new_pass()
  return { ids = {}, records = {}, leases = {}, groups = {} }
end
