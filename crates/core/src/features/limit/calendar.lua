-- A quota per hour, day, week, month or year of a calendar. `bounds` has beginnings of such periods in ms, in order, separated by commas.
-- `unit` is the number of the kind of period: with another one, the hits count as if they came now.
-- Stored as `c:unit:hits:end of the period in ms`.
local calendar = {}

function calendar.open(text, now, policy)
  local unit, hits, ends = string.match(text, '^c:(%d+):(%d+):(%d+)$')
  if unit and tonumber(unit) == policy.unit and now < tonumber(ends) * 1000 then
    return { hits = tonumber(hits), ends = tonumber(ends) }, true
  end
  local begins
  for bound in string.gmatch(policy.bounds, '%d+') do
    local at = tonumber(bound)
    if begins and begins * 1000 <= now and now < at * 1000 then
      return { hits = 0, ends = at }, text == '' or tonumber(unit or -1) == policy.unit
    end
    begins = at
  end
  -- Unknown: the caller has to compute the bounds around the store's time.
  return nil
end

function calendar.wait(state, now, policy, cost)
  if cost > policy.limit then
    return nil
  end
  return state.hits + cost <= policy.limit and 0 or state.ends * 1000 - now
end

function calendar.add(state, now, policy, cost)
  state.hits = math.min(state.hits + cost, 9007199254740991)
  return string.format('%.0f', state.ends)
end

function calendar.left(state, now, policy)
  return policy.limit - state.hits
end

function calendar.used(state)
  return state.hits
end

function calendar.refund(state, now, policy, cost, mark)
  if tonumber(mark) == state.ends then
    state.hits = math.max(state.hits - cost, 0)
  end
end

function calendar.save(state, now, policy)
  if state.hits == 0 then
    return '', now
  end
  return string.format('c:%.0f:%.0f:%.0f', policy.unit, state.hits, state.ends), state.ends * 1000
end
