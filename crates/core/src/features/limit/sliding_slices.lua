-- A sliding window: at most `limit` hits in any `period` µs. The window is divided into `slices`, and a hit leaves it together with its
-- slice, so up to one slice late and never early.
-- Stored as `s:width of a slice in µs:slice=hits,slice=hits`, with the oldest first.
local sliding = {}

function sliding.open(text, now, policy, back)
  local width = math.ceil(policy.period / policy.slices)
  local state = { width = width, slice = math.floor(now / width), hits = 0, back = back }
  local stored, list = string.match(text, '^s:(%d+):(.*)$')
  stored = tonumber(stored)
  if stored and stored ~= width then
    -- The policy has changed. Its hits count as if they came now.
    local latest, hits = math.floor(now / stored), 0
    for slice, count in string.gmatch(list, '(%d+)=(%d+)') do
      if tonumber(slice) >= latest - policy.slices then
        hits = hits + count
      end
    end
    if hits > 0 then
      state.hits, state[1] = hits, { state.slice, hits }
    end
  elseif stored then
    -- If the clock has gone back, so have the slices.
    local shift = math.floor((now + back) / width) - state.slice
    for slice, count in string.gmatch(list, '(%d+)=(%d+)') do
      local at, number = tonumber(slice) - shift, tonumber(count)
      if at >= state.slice - policy.slices and number > 0 then
        state.hits, state[#state + 1] = state.hits + number, { at, number }
      end
    end
  end
  return state, stored ~= nil or text == ''
end

-- The time in µs when a slice has left the window.
local function leaves_at(state, policy, slice)
  return (slice + policy.slices + 1) * state.width
end

function sliding.save(state, now, policy)
  if state.hits == 0 then
    return '', now
  end
  local list = {}
  for index, slice in ipairs(state) do
    list[index] = string.format('%.0f=%.0f', slice[1], slice[2])
  end
  return string.format('s:%.0f:', state.width) .. table.concat(list, ','), leaves_at(state, policy, state[#state][1])
end
