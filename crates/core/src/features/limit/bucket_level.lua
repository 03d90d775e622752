-- A token bucket, as in the generic cell rate algorithm (GCRA). It holds up to `burst` hits, and `limit` hits per `period` drain from it.
-- Its level is exact: a hit raises it by the ticks of a period, and a tick of the clock lowers it by `limit`. A tick is 1 µs, or longer
-- if a full bucket would have a level above 2^43: see bucket_shape.lua.
-- `minima` are levels just before hits, each lower than all later ones: see bucket.refund.
-- Stored as `b:level:its time in ticks:ticks of a period:µs of a tick:burst:hits added:minima`.
local bucket = {}
local MOST_MINIMA = 8

function bucket.open(text, now, policy)
  bucket.measure(policy)
  local state = { level = 0, tick = math.floor(now / policy.unit), added = 0, minima = {} }
  local level, at, period, width, burst, added, minima =
    string.match(text, '^b:(%d+):(%d+):(%d+):(%d+):(%d+):(%d+):([%d=,]*)$')
  if not level then
    return state, text == ''
  end
  -- If the policy has changed, as many hits as before are in the bucket, but not more than it holds now; debts stay.
  local scale = policy.period / tonumber(period)
  level = math.ceil(tonumber(level) * scale)
  local within = math.min(level, tonumber(burst) * policy.period)
  level = math.min(within, policy.burst * policy.period) + level - within
  -- If the clock has gone back, nothing has drained.
  at, width = tonumber(at), tonumber(width)
  -- A longer tick may have been any time within it.
  local passed = math.max(state.tick - (width == policy.unit and at or math.floor(((at + 1) * width - 1) / policy.unit)), 0)
  state.level = math.max(level - passed * policy.limit, 0)
  if state.level > 0 then
    state.added = tonumber(added)
    for seq, low in string.gmatch(minima, '(%d+)=(%d+)') do
      state.minima[#state.minima + 1] = { tonumber(seq), math.floor(tonumber(low) * scale) }
    end
  end
  return state, true
end

-- The time in µs when the level has fallen by `surplus`.
local function drained_at(state, surplus, policy)
  return (state.tick + math.ceil(surplus / policy.limit)) * policy.unit
end

function bucket.save(state, now, policy)
  if state.level == 0 then
    return '', now
  end
  local minima = {}
  for index, low in ipairs(state.minima) do
    minima[index] = string.format('%.0f=%.0f', low[1], low[2])
  end
  local text = string.format('b:%.0f:%.0f:%.0f:%.0f:', state.level, state.tick, policy.period, policy.unit)
  text = text .. string.format('%.0f:%.0f:', policy.burst, state.added) .. table.concat(minima, ',')
  return text, policy.limit == 0 and now + policy.period * policy.unit or drained_at(state, state.level, policy)
end
