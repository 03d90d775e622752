-- Events of this run, published at its end. A value too long for a message is omitted, unless it is stored nowhere else.
-- `muted` is nil before anything was published, then whether the server denied it. Messages are only hints, so that is no
-- failure.
local told, roused, muted = {}, false, nil
local function say(channel, text)
  muted = type(redis.pcall('PUBLISH', channel, text)) == 'table' or muted or false
end
local function tell(what, id, number, value, whole)
  local long = #value > 4096 and not whole
  told[#told + 1] = table.concat({ what, id, number, long and '-' or #value, long and '' or value }, '\n')
end
local function publish(q)
  if #told > 0 then
    say(KEYS[3] .. EVENTS, table.concat(told))
  end
  if roused and redis.call('EXISTS', q .. READY, q .. SUSPECTS) > 0 then
    say(KEYS[3] .. WAKE, '1')
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
