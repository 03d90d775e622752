-- Events of this run, published at its end. A value too long for a message is omitted, unless it is stored nowhere else.
-- Messages are only hints, so it is no failure if the server denies publishing one.
local events, wake, sent = {}, false, { [EVENTS] = 0, [WAKE] = 0 }
local function send(channels, channel, text)
  local denied = type(redis.pcall('PUBLISH', channels .. channel, text)) == 'table'
  sent[channel] = math.max(sent[channel], denied and 2 or 1)
end
-- Returns a code of what this run published: 0 for nothing, 1 if it was allowed, 2 if it was denied; three times that of events,
-- plus that of wake-ups.
local function published_code()
  return 3 * sent[EVENTS] + sent[WAKE]
end
local function emit(what, id, number, value, whole)
  local long = #value > 4096 and not whole
  events[#events + 1] = table.concat({ what, id, number, long and '-' or #value, long and '' or value }, '\n')
end
local function publish(q)
  if #events > 0 then
    send(KEYS[3], EVENTS, table.concat(events))
  end
  if wake and redis.call('EXISTS', q .. READY, q .. SUSPECTS) > 0 then
    send(KEYS[3], WAKE, '1')
  end
  events, wake = {}, false
end

-- Adds suspects: score, id, score, id.
local function add_suspects(q, entries)
  if #entries > 0 then
    wake = true
    redis.call('ZADD', q .. SUSPECTS, unpack(entries))
  end
end

-- Adds ready jobs: score, id, score, id.
local function make_ready(q, entries)
  if #entries > 0 then
    wake = redis.call('ZCARD', q .. READY) == 0 or wake
    redis.call('ZADD', q .. READY, unpack(entries))
  end
end
