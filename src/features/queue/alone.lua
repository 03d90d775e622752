-- Suspects: jobs that run alone, on a worker without other jobs, one at a time.

-- Whether one of them is running.
local function is_one_running(q)
  local id = redis.call('HGET', q .. META, 'lone')
  local record = id and redis.call('HGET', q .. LEASES, id)
  return record and lease_of(record).alone
end

-- Takes the first suspect whose group has room, for an idle worker, unless another one is running. Returns whether there was one.
local function pick_alone(take)
  local q, limits, pass = take.q, take.limits, new_pass()
  local first = redis.call('ZRANGE', q .. SUSPECTS, 0, 19, 'WITHSCORES')
  if #first == 0 or is_one_running(q) then
    return false
  end
  begin(q)
  for i = 1, #first, 2 do
    local id = first[i]
    local fields = redis.pcall('HMGET', q .. JOB .. id, 'n', 'd', 't', 'o', 'a', 'x', 'c')
    local _, group = options(fields[4])
    if not fields[1] then
      pass.ids[#pass.ids + 1] = id
    elseif group == '' or not limits.groups or room_of(q, group, limits, take.now, 1).left > 0 then
      pass.ids[#pass.ids + 1] = id
      lease(take, pass, id, first[i + 1], fields, group, true)
      break
    end
  end
  keep(take, pass, SUSPECTS)
  redis.call('HDEL', q .. META, 'way', 'seen')
  redis.call('HSET', q .. META, 'alone', take.now)
  if #take.jobs > 0 then
    redis.call('HSET', q .. META, 'lone', take.jobs[1])
  end
  return #take.jobs > 0
end
