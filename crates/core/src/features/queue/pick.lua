-- Picks jobs for a take, one pass over the ready jobs at a time.

-- Leases a job, or parks it, or drops it if its hash is missing. `pass.ids` are no longer ready after the pass.
local function consider(take, pass, id, score)
  local q, limits = take.q, take.limits
  local fields = redis.pcall('HMGET', q .. JOB .. id, 'n', 'd', 't', 'o', 'a', 'x', 'c')
  local _, group = parse_options(fields[4])
  local room = group ~= '' and limits.groups and group_capacity(q, group, limits, take.now, take.ceiling)
  if fields[1] and room then
    if room.left < 1 then
      return park(q, group, id, score, take.now)
    end
    local first = redis.call('ZRANGE', q .. GROUP_PARKED .. group, 0, 0, 'WITHSCORES')
    if first[1] and tonumber(first[2]) < tonumber(score) then
      -- A limit was raised: the job that has waited longer goes first.
      park(q, group, id, score, take.now)
      unpark(q, group, 1)
      return consider(take, pass, first[1], first[2])
    end
    room.left = room.left - 1
  end
  pass.ids[#pass.ids + 1] = id
  if not fields[1] then
    -- Missing, or only what was written after it was deleted. A value of another type is not ours to delete.
    return fields.err or redis.call('UNLINK', q .. JOB .. id)
  end
  lease(take, pass, id, score, fields, group, false)
end

-- Makes one pass over the next `most` ready jobs. Returns how many there were.
local function pick(take, most)
  local q, pass = take.q, new_pass()
  local first = redis.call('ZRANGE', q .. READY, 0, most - 1, 'WITHSCORES')
  begin_writing(q)
  for i = 1, #first, 2 do
    consider(take, pass, first[i], first[i + 1])
  end
  write_leases(take, pass, READY)
  return #first / 2
end
