-- Ends jobs. KEYS: the queue. ARGV: the retention of done and then dead jobs, each as count, ms and bytes; then for each job
-- its id, token, outcome, result or error, the delay of the retry in ms, and how many ms ago it started. Returns 1 for each job
-- that has ended with this token, now or earlier; then what was published.
local q, now, n = KEYS[1], now_ms(), {}
for i = 1, 6 do
  n[i] = tonumber(ARGV[i])
end
local ids, mine = held(q, ARGV, 7, 6)
local waiting = redis.call('HMGET', q .. WAITERS, unpack(ids))
local run = new_run(q, now, { [DONE] = { n[1], n[2], n[3] }, [DEAD] = { n[4], n[5], n[6] } })
local out, ended = {}, {}
begin(q)
for i, id in ipairs(ids) do
  local at = 7 + (i - 1) * 6
  if not mine[i] then
    -- Ours it was if the last one who ended an attempt had this token.
    out[i] = redis.pcall('HMGET', q .. JOB .. id, 'l')[1] == ARGV[at + 1] and 1 or 0
  else
    if not ended[id] then
      conclude(run, id, lease_of(mine[i]), ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], waiting[i])
      ended[id] = true
    end
    out[i] = 1
  end
end
if #run.over > 0 then
  make_ready(q, run.ready)
  suspect(q, run.suspects)
  if #run.delayed > 0 then
    redis.call('ZADD', q .. DELAYED, unpack(run.delayed))
  end
  bury(q, DONE, run.buried[DONE])
  bury(q, DEAD, run.buried[DEAD])
  redis.call('ZREM', q .. LEASED, unpack(run.over))
  redis.call('HDEL', q .. LEASES, unpack(run.over))
  if redis.call('EXISTS', q .. LEASED) == 0 then
    redis.call('HDEL', q .. META, 'looked', 'since')
  end
  if #run.gone > 0 then
    redis.call('UNLINK', unpack(run.gone))
  end
  for _, set in ipairs({ DONE, DEAD }) do
    if #run.buried[set] > 0 then
      trim(q, set, now, run.keep[set], run.added[set])
    end
  end
  publish(q)
end
out[#out + 1] = published()
return out
