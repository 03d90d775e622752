-- A token bucket, as in the generic cell rate algorithm (GCRA). It holds up to `burst` hits, and `limit` hits per `period` drain from it.
-- Its level is exact: a hit raises it by the ticks of a period, and a tick of the clock lowers it by `limit`. A tick is 1 µs, or longer
-- where a full bucket would have a level above 2^53.
-- Stored as `b:level:time of the level in ticks:ticks of a period:µs of a tick`.
local bucket = {}

function bucket.open(text, now, policy)
  local length, unit = policy.period, 1
  while policy.burst * policy.period > 9007199254740991 and unit < length do
    unit = unit * 10
    policy.period = math.ceil(length / unit)
  end
  policy.unit = unit
  local tick = math.floor(now / unit)
  local level, at, period, width = string.match(text, '^b:(%d+):(%d+):(%d+):(%d+)$')
  if not level then
    return { level = 0, tick = tick }
  end
  level, at, period, width = tonumber(level), tonumber(at), tonumber(period), tonumber(width)
  if period ~= policy.period or width ~= unit then
    -- The policy has changed. As many hits as before are in the bucket.
    level, at = math.ceil(level / period * policy.period), math.floor(at * width / unit)
  end
  -- If the clock has gone back, nothing has drained.
  return { level = math.max(level - math.max(tick - at, 0) * policy.limit, 0), tick = tick }
end

-- The time in µs when the level has fallen by `surplus`.
local function drained_at(state, surplus, policy)
  return (state.tick + math.ceil(surplus / policy.limit)) * policy.unit
end

function bucket.save(state, now, policy)
  if state.level == 0 then
    return '', now
  end
  local text = string.format('b:%.0f:%.0f:%.0f:%.0f', state.level, state.tick, policy.period, policy.unit)
  return text, policy.limit == 0 and now + policy.period * policy.unit or drained_at(state, state.level, policy)
end
