-- Suspects: jobs that run alone, on a worker without other jobs.

-- Takes the first suspect whose group has room, for an idle worker. Returns whether there was one.
local function pick_alone(take)
  local q, limits, pass = take.q, take.limits, new_pass()
  local first = redis.call('ZRANGE', q .. SUSPECTS, 0, 19, 'WITHSCORES')
  if #first == 0 then
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
  redis.call('HSET', q .. META, 'alone', take.now)
  return #take.jobs > 0
end

-- Whether a worker that runs other jobs should finish them and take no more: suspects are waiting, and none was taken for a
-- tenth of a lease. Only one worker is asked to in that time.
local function has_to_make_way(take)
  local q = take.q
  if redis.call('EXISTS', q .. SUSPECTS) == 0 then
    return false
  end
  begin(q)
  local last = tonumber(redis.call('HGET', q .. META, 'alone') or '')
  if last and last <= take.now and take.now - last < take.lease / 10 then
    return false
  end
  redis.call('HSET', q .. META, 'alone', take.now)
  return last ~= nil
end
