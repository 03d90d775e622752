-- What a token bucket allows, charges and refunds.
function bucket.wait(state, now, policy, cost)
  if cost > policy.burst or policy.limit == 0 then
    return nil
  end
  local surplus = state.level + (cost - policy.burst) * policy.period
  return surplus <= 0 and 0 or drained_at(state, surplus, policy) - now
end

function bucket.add(state, now, policy, cost)
  state.level = math.min(state.level + cost * policy.period, 9007199254740991)
  return string.format('%.0f:%.0f:%.0f', state.level, state.tick, policy.period)
end

function bucket.left(state, now, policy)
  return math.floor(policy.burst - state.level / policy.period)
end

-- What a charge added drains after what was there before it, so some of it may be left.
function bucket.refund(state, now, policy, cost, mark)
  local level, at, period = string.match(mark, '^(%d+):(%d+):(%d+)$')
  if not level or tonumber(period) ~= policy.period then
    return
  end
  local left = tonumber(level) - math.max(state.tick - tonumber(at), 0) * policy.limit
  state.level = math.max(state.level - math.max(math.min(left, cost * policy.period), 0), 0)
end
