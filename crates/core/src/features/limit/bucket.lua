-- What a token bucket allows, charges and refunds.
function bucket.wait(state, now, policy, cost)
  if cost > policy.burst or policy.limit == 0 then
    return nil
  end
  local surplus = state.level + (cost - policy.burst) * policy.period
  return surplus <= 0 and 0 or drained_at(state, surplus, policy) - now
end

function bucket.add(state, now, policy, cost)
  local minima = state.minima
  while #minima > 0 and minima[#minima][2] >= state.level do
    minima[#minima] = nil
  end
  minima[#minima + 1] = { state.added, state.level }
  if #minima > MOST_MINIMA then
    -- The lower level of the two, as if it had been reached later.
    minima[2][2] = minima[1][2]
    table.remove(minima, 1)
  end
  state.level = math.min(state.level + cost * policy.period, 9007199254740991)
  state.added = state.added + cost
  return string.format('%.0f', state.added)
end

function bucket.left(state, now, policy)
  return math.floor(policy.burst - state.level / policy.period)
end

function bucket.used(state, policy)
  return math.ceil(state.level / policy.period)
end

-- Without the charge, the level would be lower by its hits, but for what would have drained from an empty bucket since: so by no more
-- than the lowest level since.
function bucket.refund(state, now, policy, cost, mark)
  local seq = tonumber(mark)
  if not seq then
    return
  end
  local part = math.min(cost * policy.period, state.level)
  for _, low in ipairs(state.minima) do
    if low[1] >= seq then
      part = math.min(part, low[2])
      break
    end
  end
  if state.level > policy.burst * policy.period then
    -- Others wait for turns that come after it. They keep these, so only what is behind them is given back.
    part = math.min(part, math.max(cost - (state.added - seq), 0) * policy.period)
  end
  state.level = state.level - part
  for _, low in ipairs(state.minima) do
    low[2] = math.max(low[2] - part, 0)
  end
end
