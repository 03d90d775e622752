-- Making way: a busy worker finishes its jobs, so that it can take one that runs alone.

-- Whether a worker that runs other jobs should finish them and take no more: suspects are waiting, and no idle worker took one for
-- a tenth of a lease. Only one worker at a time makes way. It asks again and again, each time with the token of its last take, and
-- another one is told to only if it has not asked for a lease.
local function has_to_make_way(take, token)
  local q, now = take.q, take.now
  if redis.call('EXISTS', q .. SUSPECTS) == 0 or is_one_running(q) then
    return false
  end
  begin(q)
  local meta = redis.call('HMGET', q .. META, 'alone', 'way', 'seen')
  local since, way, seen = tonumber(meta[1] or ''), meta[2], tonumber(meta[3] or '')
  if not way or way ~= token then
    if way and seen and seen <= now and now - seen < math.max(take.lease, 1000) then
      return false
    end
    -- It may lie ahead by as long as the rate of a group admits no start.
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

-- What suspects mean for a take: 1 where it got one, 2 where its worker is to make way for one, 0 otherwise; then whether there may be
-- one that was not looked at.
local function take_alone(take, idle, token)
  if not idle then
    return (take.ceiling > 0 or token ~= '') and has_to_make_way(take, token) and 2 or 0, false
  elseif take.ceiling < 1 then
    return 0, false
  end
  local found, behind = pick_alone(take)
  return found and 1 or 0, behind
end
