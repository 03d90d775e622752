-- The jobs that one run adds, by queue. Their positions are written together, at the end of the run.
local batches, now = {}, now_ms()

local function batch_of(q, channels)
  local batch = batches[q]
  if not batch then
    -- A key of another type fails here, before anything is written.
    local waiting = redis.call('ZCARD', q .. READY)
    local seq = tonumber(redis.call('HGET', q .. META, 'seq') or 0) or 0
    batch = { channels = channels, waiting = waiting, seq = seq, ready = {}, delayed = {}, events = {}, wake = false }
    batches[q] = batch
  end
  return batch
end

local function put(batch, id, name, priority, delay)
  batch.seq = batch.seq + 1
  if delay == '' then
    push(batch.ready, score_of(priority, batch.seq), id)
  else
    -- Workers poll once a second, so they are woken for what is due before that.
    batch.wake = batch.wake or delay + 0 < 1000
    push(batch.delayed, (now + delay) * 2048 + batch.seq % 2048, id)
  end
  batch.events[#batch.events + 1] = 'added\n' .. id .. '\n0\n' .. #name .. '\n' .. name
end

-- `reply` is the reply of one item, or those of many. For an added job it is 1, which becomes the code of what was published.
local function flush(reply)
  for q, batch in pairs(batches) do
    if #batch.events > 0 then
      redis.call('HSET', q .. META, 'seq', batch.seq)
      if #batch.ready > 0 then
        redis.call('ZADD', q .. READY, unpack(batch.ready))
      end
      if #batch.delayed > 0 then
        redis.call('ZADD', q .. DELAYED, unpack(batch.delayed))
      end
      send(batch.channels, EVENTS, table.concat(batch.events))
      if batch.wake or batch.waiting == 0 and #batch.ready > 0 then
        send(batch.channels, WAKE, '1')
      end
    end
  end
  local code = math.max(published_code(), 1)
  if type(reply) == 'table' then
    for i = 2, #reply, 2 do
      reply[i] = reply[i - 1] == 1 and reply[i] == 1 and code or reply[i]
    end
  end
  return reply == 1 and code or reply
end
