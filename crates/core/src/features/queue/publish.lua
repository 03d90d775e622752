-- Events of this run, published at its end. A value too long for a message is omitted, unless it is stored nowhere else.
-- Messages are only hints, so it is no failure if the server denies publishing one.
local told, roused, said = {}, false, { [EVENTS] = 0, [WAKE] = 0 }
local function say(channels, channel, text)
  local denied = type(redis.pcall('PUBLISH', channels .. channel, text)) == 'table'
  said[channel] = math.max(said[channel], denied and 2 or 1)
end
-- What was published in this run: 0 for nothing, 1 if it was allowed, 2 if it was denied; three times that for events, plus that for
-- wake-ups.
local function published()
  return 3 * said[EVENTS] + said[WAKE]
end
local function tell(what, id, number, value, whole)
  local long = #value > 4096 and not whole
  told[#told + 1] = table.concat({ what, id, number, long and '-' or #value, long and '' or value }, '\n')
end
local function publish(q)
  if #told > 0 then
    say(KEYS[3], EVENTS, table.concat(told))
  end
  if roused and redis.call('EXISTS', q .. READY, q .. SUSPECTS) > 0 then
    say(KEYS[3], WAKE, '1')
  end
  told, roused = {}, false
end

-- Adds suspects: score, id, score, id.
local function suspect(q, places)
  if #places > 0 then
    roused = true
    redis.call('ZADD', q .. SUSPECTS, unpack(places))
  end
end

-- Adds ready jobs: score, id, score, id.
local function make_ready(q, places)
  if #places > 0 then
    roused = redis.call('ZCARD', q .. READY) == 0 or roused
    redis.call('ZADD', q .. READY, unpack(places))
  end
end
