-- Returns how many jobs, at most `wanted`, the limits of the queue allow to start; if its rate is the limit, then in how many ms
-- one more may. `concurrency` is the limit of active jobs, 0 for none.
local function start_ceiling(q, now, wanted, concurrency, limits)
  local ceiling = wanted
  if concurrency > 0 then
    ceiling = math.min(ceiling, concurrency - redis.call('ZCARD', q .. LEASED))
  end
  if limits.starts > 0 and ceiling > 0 then
    local allowed, wait = starts_available(q .. STARTS, limits.starts, limits.per, now, ceiling)
    if allowed < ceiling then
      return allowed, wait
    end
  end
  return ceiling, nil
end
