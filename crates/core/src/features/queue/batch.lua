-- Jobs that one run adds, by queue. They get their places together, at the end of the run.
local batches, now = {}, now_ms()

local function batch_of(q, channels)
  local batch = batches[q]
  if not batch then
    -- A key of another type fails here, before anything is written.
    local waiting = redis.call('ZCARD', q .. READY)
    local seq = tonumber(redis.call('HGET', q .. META, 'seq') or 0) or 0
    batch = { channels = channels, waiting = waiting, seq = seq, ready = {}, delayed = {}, told = {}, soon = false }
    batches[q] = batch
  end
  return batch
end

local function put(batch, id, name, priority, delay)
  batch.seq = batch.seq + 1
  if delay == '' then
    push(batch.ready, place(priority, batch.seq), id)
  else
    -- Workers ask once a second; what is due before that has to be told.
    batch.soon = batch.soon or delay + 0 < 1000
    push(batch.delayed, (now + delay) * 2048 + batch.seq % 2048, id)
  end
  batch.told[#batch.told + 1] = 'added\n' .. id .. '\n0\n' .. #name .. '\n' .. name
end

-- `reply` is the reply of a single run, or those of many. An added job is returned as what was published of the run, instead of 1.
local function flush(reply)
  for q, batch in pairs(batches) do
    if #batch.told > 0 then
      redis.call('HSET', q .. META, 'seq', batch.seq)
      if #batch.ready > 0 then
        redis.call('ZADD', q .. READY, unpack(batch.ready))
      end
      if #batch.delayed > 0 then
        redis.call('ZADD', q .. DELAYED, unpack(batch.delayed))
      end
      say(batch.channels, EVENTS, table.concat(batch.told))
      if batch.soon or batch.waiting == 0 and #batch.ready > 0 then
        say(batch.channels, WAKE, '1')
      end
    end
  end
  local code = math.max(published(), 1)
  if type(reply) == 'table' then
    for i = 2, #reply, 2 do
      reply[i] = reply[i - 1] == 1 and reply[i] == 1 and code or reply[i]
    end
  end
  return reply == 1 and code or reply
end
