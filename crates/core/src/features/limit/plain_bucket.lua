-- Most checks: hits of a bucket of which nothing else is known: no block, no override, no charge that may be refunded. Most of the time of
-- a check is that of this function.
-- Stored as `level:its time in ticks:ticks of a period:µs of a tick:burst:hits that drain in a period`. What follows the time is the
-- shape: it changes with the policy.
local call, match, format, floor, ceil = redis.call, string.match, string.format, math.floor, math.ceil

-- Charges hits as `take` does. Returns nil if there is more to know: then nothing was changed.
local function take_plain(key, policy, cost)
  local now, ticks, unit, rate, burst = now_us(), policy.period, policy.unit, policy.limit, policy.burst
  local tick, level = floor(now / unit), 0
  local text = call('GET', key)
  if text then
    local stored, at, shape = match(text, '^(%d+):(%d+):(.+)$')
    if shape ~= policy.shape or tick < tonumber(at) then
      return nil
    end
    level = math.max(stored - (tick - at) * rate, 0)
  end
  local after = level + cost * ticks
  local over = after - burst * ticks
  if over > 0 then
    local ends = level > 0 and (tick + ceil(level / rate)) * unit - now or 0
    return { 0, floor(burst - level / ticks), (tick + ceil(over / rate)) * unit - now, ends, now, -1 }
  end
  local ends = (tick + ceil(after / rate)) * unit - now
  -- One more, because the store counts from the last whole millisecond.
  call('SET', key, format('%d:%d:%s', after, tick, policy.shape), 'PX', format('%d', ceil(ends / 1000) + 1))
  return { 1, floor(burst - after / ticks), 0, ends, now, -1 }
end

-- Returns the text of such an entry as other calls expect it.
local function whole_of(text, now)
  local level, at, ticks, unit, burst, rate = match(text, '^(%d+):(%d+):(%d+):(%d+):(%d+):(%d+)$')
  if not level or rate == '0' or ticks == '0' then
    return text
  end
  local ends = at * unit + ceil(level / rate) * unit
  local head = format('%.0f;0;;%.0f;%.0f;%.0f;', at * unit, now, ceil(level / ticks), ends)
  return head .. 'b:' .. level .. ':' .. at .. ':' .. ticks .. ':' .. unit .. ':' .. burst .. ':0:'
end
