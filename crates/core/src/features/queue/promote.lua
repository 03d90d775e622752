-- Makes jobs ready whose delay is over, behind those that are. At most 100 in a run, then true: there may be more.
local function promote(q, now)
  local ids = redis.call('ZRANGEBYSCORE', q .. DELAYED, '-inf', now * 2048 + 2047, 'LIMIT', 0, 100)
  if #ids == 0 then
    return false
  end
  begin(q)
  local seq, places = numbers(q, #ids), {}
  for i, id in ipairs(ids) do
    local given = redis.pcall('HMGET', q .. JOB .. id, 'o')[1]
    places[2 * i - 1], places[2 * i] = place((options(given)), seq + i - 1), id
  end
  make_ready(q, places)
  redis.call('ZREM', q .. DELAYED, unpack(ids))
  return #ids == 100
end
