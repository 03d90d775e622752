-- Ends jobs.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1], ARGV[2], ARGV[3]  retention of done jobs: count, age in ms, bytes
-- ARGV[4], ARGV[5], ARGV[6]  the same for dead jobs
-- ARGV[7…]  for each job: id, token, outcome ('done', 'retry', 'dead' or 'release'), result or error, delay of the retry in ms, how
--           many ms ago the job started
--
-- Returns, for each job, 1 if it has ended with this token, now or earlier, and 0 otherwise; then a code of what was published.
local q, now, n = KEYS[1], now_ms(), {}
for i = 1, 6 do
  n[i] = tonumber(ARGV[i])
end
local ids, owned = owned_leases(q, ARGV, 7, 6)
local waiting = redis.call('HMGET', q .. WAITERS, unpack(ids))
local run = new_run(q, now, { [DONE] = { n[1], n[2], n[3] }, [DEAD] = { n[4], n[5], n[6] } })
local out, ended = {}, {}
begin_writing(q)
for i, id in ipairs(ids) do
  local at = 7 + (i - 1) * 6
  if not owned[i] then
    -- It was ours if the attempt that ended last had this token.
    out[i] = redis.pcall('HMGET', q .. JOB .. id, 'l')[1] == ARGV[at + 1] and 1 or 0
  else
    if not ended[id] then
      conclude(run, id, lease_of(owned[i]), ARGV[at + 2], ARGV[at + 3], ARGV[at + 4], ARGV[at + 5], waiting[i])
      ended[id] = true
    end
    out[i] = 1
  end
end
if #run.ended > 0 then
  make_ready(q, run.ready)
  add_suspects(q, run.suspects)
  if #run.delayed > 0 then
    redis.call('ZADD', q .. DELAYED, unpack(run.delayed))
  end
  add_finished(q, DONE, run.finished[DONE])
  add_finished(q, DEAD, run.finished[DEAD])
  redis.call('ZREM', q .. LEASED, unpack(run.ended))
  redis.call('HDEL', q .. LEASES, unpack(run.ended))
  if redis.call('EXISTS', q .. LEASED) == 0 then
    redis.call('HDEL', q .. META, 'looked', 'since')
  end
  if #run.deleted > 0 then
    redis.call('UNLINK', unpack(run.deleted))
  end
  for _, set in ipairs({ DONE, DEAD }) do
    if #run.finished[set] > 0 then
      trim(q, set, now, run.keep[set], run.added[set])
    end
  end
  publish(q)
end
out[#out + 1] = published_code()
return out
