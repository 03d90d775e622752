-- Leases of jobs. The record: token, place in the queue, attempt, bytes of data, start time, 1 if the job runs alone, then the
-- job's options. A job that was taken but has not started has no start time.
local function lease_of(record)
  local token, score, attempt, bytes, started, alone, given =
    string.match(record, '^([^\n]*)\n([^\n]*)\n(%d+)\n(%d+)\n(%d*)\n(1?)\n(.*)$')
  attempt, bytes = tonumber(attempt or 1), tonumber(bytes or 0)
  return {
    token = token, score = score, attempt = attempt, bytes = bytes, started = started or '', alone = alone == '1', given = given,
  }
end

local function record_of(lease)
  local alone = lease.alone and '1' or ''
  return table.concat(
    { lease.token, lease.score, lease.attempt, lease.bytes, lease.started, alone, lease.given or '' }, '\n'
  )
end

-- Jobs and the records of those leases that still have these tokens. `list` has id and token from `first`, every `step`.
local function held(q, list, first, step)
  local ids, mine = {}, {}
  for i = first, #list, step do
    ids[#ids + 1] = list[i]
  end
  local records = redis.call('HMGET', q .. LEASES, unpack(ids))
  for n = 1, #ids do
    local token = list[first + (n - 1) * step + 1] .. '\n'
    mine[n] = records[n] and string.sub(records[n], 1, #token) == token and records[n]
  end
  return ids, mine
end
