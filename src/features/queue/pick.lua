-- Picks jobs for a take: those of one pass over the ready ones are written together, in an order in which no error loses one.

-- Notes a job's lease. What runs alone begins at once; others say when they do.
local function lease(take, pass, id, score, fields, group, alone)
  local attempt = (tonumber(fields[5] or 0) or 0) + 1
  local record = {
    token = take.token, score = score, attempt = attempt, bytes = #(fields[2] or ''),
    started = alone and string.format('%.0f', take.now) or '', alone = alone, given = fields[4],
  }
  push(pass.records, id, record_of(record))
  push(pass.leases, take.now + take.lease, id)
  if group ~= '' then
    pass.groups[group] = pass.groups[group] or {}
    table.insert(pass.groups[group], id)
  end
  push(take.jobs, id, fields)
  if alone then
    tell('active', id, attempt, '')
  end
end

-- Writes what a pass has taken from a set.
local function keep(take, pass, set)
  local q, limits = take.q, take.limits
  if #pass.records > 0 then
    redis.call('HSET', q .. LEASES, unpack(pass.records))
    redis.call('ZADD', q .. LEASED, unpack(pass.leases))
    for group, ids in pairs(pass.groups) do
      redis.call('SADD', q .. ACTIVE_OF .. group, unpack(ids))
      note_starts(q .. STARTS_OF .. group, limits.group_starts, limits.group_per, take.now, #ids)
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

-- Takes up a job, or parks it, or drops it when its hash is gone. `pass.ids` are to be no longer ready.
local function consider(take, pass, id, score)
  local q, limits = take.q, take.limits
  local fields = redis.pcall('HMGET', q .. JOB .. id, 'n', 'd', 't', 'o', 'a', 'x')
  local _, group = options(fields[4])
  local room = group ~= '' and limits.groups and room_of(q, group, limits, take.now, take.ceiling)
  if fields[1] and room then
    if room.left < 1 then
      return park(q, group, id, score, take.now)
    end
    local first = redis.call('ZRANGE', q .. PARKED_OF .. group, 0, 0, 'WITHSCORES')
    if first[1] and tonumber(first[2]) < tonumber(score) then
      -- A limit was raised: the one that waits for longer goes first.
      park(q, group, id, score, take.now)
      unpark(q, group, 1)
      return consider(take, pass, first[1], first[2])
    end
    room.left = room.left - 1
  end
  pass.ids[#pass.ids + 1] = id
  if not fields[1] then
    -- Nothing, or what was written to a job that was gone. A value of another type is not ours to delete.
    return fields.err or redis.call('UNLINK', q .. JOB .. id)
  end
  lease(take, pass, id, score, fields, group, false)
end

-- One pass: the next so many that are ready. Answers how many there were.
local function pick(take, most)
  local q, pass = take.q, new_pass()
  local first = redis.call('ZRANGE', q .. READY, 0, most - 1, 'WITHSCORES')
  begin(q)
  for i = 1, #first, 2 do
    consider(take, pass, first[i], first[i + 1])
  end
  keep(take, pass, READY)
  return #first / 2
end

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
