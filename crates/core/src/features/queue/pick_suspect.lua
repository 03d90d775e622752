-- Suspects: jobs that run exclusively, on a worker without other jobs, one at a time.

-- Takes the first suspect whose group is not full, for an idle worker, unless another suspect is running. The first one whose group
-- is full reserves the next start there. Examines 100, and those behind them next time. Returns whether one was taken, and whether
-- there may be one behind those.
local function pick_suspect(take)
  local q, pass, soonest_start = take.q, new_pass(), nil
  local total = redis.call('ZCARD', q .. SUSPECTS)
  if total == 0 or is_suspect_running(q) then
    return false, false
  end
  begin_writing(q)
  local from = tonumber(redis.call('HGET', q .. META, 'behind') or 0)
  from = from < total and from or 0
  local some = redis.call('ZRANGE', q .. SUSPECTS, from, from + 99, 'WITHSCORES')
  for i = 1, #some, 2 do
    local id = some[i]
    local fields = redis.pcall('HMGET', q .. JOB .. id, 'n', 'd', 't', 'o', 'a', 'x', 'c')
    local _, group = parse_options(fields[4])
    local may, wait = may_start_suspect(take, group)
    if not fields[1] then
      pass.ids[#pass.ids + 1] = id
    elseif may then
      pass.ids[#pass.ids + 1] = id
      lease(take, pass, id, some[i + 1], fields, group, true)
      break
    else
      soonest_start = math.min(soonest_start or math.huge, wait)
      reserve(q, group, id)
    end
  end
  write_leases(take, pass, SUSPECTS)
  local found, behind = #take.jobs > 0, from + 100
  redis.call('HDEL', q .. META, 'way', 'seen', 'behind')
  -- No worker yields before one of them may start.
  redis.call('HSET', q .. META, 'alone', take.now + (not found and soonest_start or 0))
  if found then
    redis.call('HSET', q .. META, 'lone', take.jobs[1])
  elseif behind < total then
    redis.call('HSET', q .. META, 'behind', behind)
  end
  return found, not found and behind < total
end
