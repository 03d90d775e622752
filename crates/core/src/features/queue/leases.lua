-- Leases of jobs. The record: token, score in the ready set, attempt, bytes of data, start time, 1 if the job runs exclusively,
-- then the job's options. A job that was taken but has not started has no start time.
local function lease_of(record)
  local token, score, attempt, bytes, started, exclusive, options =
    string.match(record, '^([^\n]*)\n([^\n]*)\n(%d+)\n(%d+)\n(%d*)\n(1?)\n(.*)$')
  attempt, bytes = tonumber(attempt or 1), tonumber(bytes or 0)
  return {
    token = token, score = score, attempt = attempt, bytes = bytes, started = started or '', exclusive = exclusive == '1', options = options,
  }
end

local function record_of(lease)
  local exclusive = lease.exclusive and '1' or ''
  return table.concat(
    { lease.token, lease.score, lease.attempt, lease.bytes, lease.started, exclusive, lease.options or '' }, '\n'
  )
end

-- Returns the ids, and the records of those leases that still have the given tokens. `list` has id and token at `first`, and then
-- every `step`.
local function owned_leases(q, list, first, step)
  local ids, owned = {}, {}
  for i = first, #list, step do
    ids[#ids + 1] = list[i]
  end
  local records = redis.call('HMGET', q .. LEASES, unpack(ids))
  for n = 1, #ids do
    local token = list[first + (n - 1) * step + 1] .. '\n'
    owned[n] = records[n] and string.sub(records[n], 1, #token) == token and records[n]
  end
  return ids, owned
end
