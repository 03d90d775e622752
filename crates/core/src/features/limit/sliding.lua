-- What a sliding window allows, charges and refunds.
function sliding.wait(state, now, policy, cost)
  if cost > policy.limit then
    return nil
  end
  local surplus = state.hits + cost - policy.limit
  for _, slice in ipairs(state) do
    if surplus <= 0 then
      return 0
    end
    surplus = surplus - slice[2]
    if surplus <= 0 then
      return leaves_at(state, policy, slice[1]) - now
    end
  end
  return 0
end

function sliding.add(state, now, policy, cost)
  local last = state[#state]
  if not last or last[1] < state.slice then
    last = { state.slice, 0 }
    state[#state + 1] = last
  end
  last[2], state.hits = math.min(last[2] + cost, 9007199254740991), state.hits + cost
  return string.format('%.0f:%.0f', state.width, last[1])
end

function sliding.left(state, now, policy)
  return policy.limit - state.hits
end

function sliding.used(state)
  return state.hits
end

function sliding.refund(state, now, policy, cost, mark)
  local width, slice = string.match(mark, '^(%d+):(%d+)$')
  for _, own in ipairs(state) do
    if tonumber(width) == state.width and tonumber(slice) == own[1] then
      local back = math.min(own[2], cost)
      own[2], state.hits = own[2] - back, state.hits - back
    end
  end
end
