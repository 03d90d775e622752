-- A fixed window, which starts with its first hit and admits `limit` hits in `period` µs.
-- Stored as `f:hits:start in µs`.
local fixed = {}

function fixed.open(text, now, policy, back)
  local hits, start = string.match(text, '^f:(%d+):(%d+)$')
  start = start and tonumber(start) - back
  if not start or now - start >= policy.period then
    return { hits = 0, start = now, back = back }, start ~= nil or text == ''
  end
  return { hits = tonumber(hits), start = start, back = back }, true
end

function fixed.wait(state, now, policy, cost)
  if cost > policy.limit then
    return nil
  end
  return state.hits + cost <= policy.limit and 0 or state.start + policy.period - now
end

function fixed.add(state, now, policy, cost)
  state.hits = math.min(state.hits + cost, 9007199254740991)
  return string.format('%.0f', state.start)
end

function fixed.left(state, now, policy)
  return policy.limit - state.hits
end

function fixed.used(state)
  return state.hits
end

function fixed.refund(state, now, policy, cost, mark)
  if tonumber(mark) == state.start + state.back then
    state.hits = math.max(state.hits - cost, 0)
  end
end

function fixed.save(state, now, policy)
  if state.hits == 0 then
    return '', now
  end
  return string.format('f:%.0f:%.0f', state.hits, state.start), state.start + policy.period
end
