-- Makes jobs ready whose delay is over, behind those that are ready. Handles at most 100 in a run, then returns true: there may be
-- more.
local function promote(q, now)
  local ids = redis.call('ZRANGEBYSCORE', q .. DELAYED, '-inf', now * 2048 + 2047, 'LIMIT', 0, 100)
  if #ids == 0 then
    return false
  end
  begin_writing(q)
  local seq, entries = next_numbers(q, #ids), {}
  for i, id in ipairs(ids) do
    local options = redis.pcall('HMGET', q .. JOB .. id, 'o')[1]
    entries[2 * i - 1], entries[2 * i] = score_of((parse_options(options)), seq + i - 1), id
  end
  make_ready(q, entries)
  redis.call('ZREM', q .. DELAYED, unpack(ids))
  return #ids == 100
end
