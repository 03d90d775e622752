-- Suspects: each runs alone, on a worker that has nothing else.

-- The first suspect whose group has room, for a worker that runs nothing else; whether there was one.
local function pick_alone(take)
  local q, limits, pass = take.q, take.limits, new_pass()
  local first = redis.call('ZRANGE', q .. SUSPECTS, 0, 19, 'WITHSCORES')
  if #first == 0 then
    return false
  end
  begin(q)
  for i = 1, #first, 2 do
    local id = first[i]
    local fields = redis.pcall('HMGET', q .. JOB .. id, 'n', 'd', 't', 'o', 'a', 'x')
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

-- Whether a worker that runs other jobs is to let them end and take no more: suspects wait, and nobody has taken one for a tenth of
-- a lease. Whoever is told so is the only one for as long again.
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
