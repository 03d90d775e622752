-- Yielding: a busy worker finishes its jobs and takes no more, so that it can take a suspect.

-- Returns whether a worker that runs other jobs should yield: suspects are waiting, and no idle worker has taken one for a tenth of
-- a lease. Only one worker at a time yields. It keeps asking, each time with the token of its last take, and another one is asked to
-- yield only if it has not asked for a lease.
local function must_yield(take, token)
  local q, now = take.q, take.now
  if redis.call('EXISTS', q .. SUSPECTS) == 0 or is_suspect_running(q) then
    return false
  end
  begin_writing(q)
  local meta = redis.call('HMGET', q .. META, 'alone', 'way', 'seen')
  local since, way, seen = tonumber(meta[1] or ''), meta[2], tonumber(meta[3] or '')
  if not way or way ~= token then
    if way and seen and seen <= now and now - seen < math.max(take.lease, 1000) then
      return false
    end
    -- It may be in the future, by as long as the rate of a group allows no start.
    if not since or since > now + take.limits.group_per then
      redis.call('HSET', q .. META, 'alone', now)
      return false
    end
    if now - since < take.lease / 10 then
      return false
    end
  end
  redis.call('HSET', q .. META, 'way', take.token, 'seen', now)
  return true
end

-- Takes a suspect if possible. Returns 1 if it got one, 2 if the worker should yield to one, 0 otherwise; then whether there may be
-- one that was not examined.
local function take_suspect(take, idle, token)
  if not idle then
    return (take.ceiling > 0 or token ~= '') and must_yield(take, token) and 2 or 0, false
  elseif take.ceiling < 1 then
    return 0, false
  end
  local found, behind = pick_suspect(take)
  return found and 1 or 0, behind
end
