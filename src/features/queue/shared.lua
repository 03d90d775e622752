-- What the scripts of a queue share. `q` is what the keys of the queue begin with.
local function time()
  local now = redis.call('TIME')
  return now[1] * 1000 + math.floor(now[2] / 1000)
end

-- What a job was given that scripts read: priority, group, what it is the same by, for how many ms, 'n' if it is not kept.
local function options(text)
  if not text or text == '' then
    return 0, '', '', '', ''
  end
  local priority, group, same, ttl, keep = string.match(text, '^([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)')
  return tonumber(priority) or 0, group or '', same or '', ttl or '', keep or ''
end

-- Adds two values to a list: score and id, field and value.
local function push(list, one, other)
  local n = #list
  list[n + 1], list[n + 2] = one, other
end

-- The place of a job among those that are ready: exact up to 2^43 jobs.
local function place(priority, seq)
  return (512 + priority) * 8796093022208 + seq
end

-- Numbers for so many jobs, the first of them.
local function numbers(q, count)
  return redis.call('HINCRBY', q .. META, 'seq', count) - count + 1
end

-- A full server lets a script go on that has begun to write, as workers must be able to. This begins, and changes nothing.
local function begin(q)
  redis.call('HDEL', q .. LEASES, '')
end

-- What happened in this run, told at its end. A value too long for a message is left out, unless it is kept nowhere else.
-- `muted` is nothing before anything was told, then whether the server refuses that: a message is a hint, and no reason to fail.
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

-- Puts jobs among those that run alone: score, id, score, id.
local function suspect(q, places)
  if #places > 0 then
    roused = true
    redis.call('ZADD', q .. SUSPECTS, unpack(places))
  end
end

-- Puts jobs among those that are ready: score, id, score, id.
local function make_ready(q, places)
  if #places > 0 then
    roused = redis.call('ZCARD', q .. READY) == 0 or roused
    redis.call('ZADD', q .. READY, unpack(places))
  end
end
