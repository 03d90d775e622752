-- Takes jobs for a worker.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]   how many jobs at most
-- ARGV[2]   lease in ms
-- ARGV[3]   token
-- ARGV[4]   limit of active jobs; 0 for none, as for all limits
-- ARGV[5], ARGV[6]    limit of starts: how many, per how many ms
-- ARGV[7]   limit of active jobs of each group
-- ARGV[8], ARGV[9]    limit of starts of each group: how many, per how many ms
-- ARGV[10]  how many crashes make a job dead
-- ARGV[11]  the error of such a job
-- ARGV[12], ARGV[13], ARGV[14]  retention of done jobs: count, age in ms, bytes
-- ARGV[15], ARGV[16], ARGV[17]  the same for dead jobs
-- ARGV[18]  1 if the worker is idle
-- ARGV[19]  1 if this worker may reclaim expired leases
-- ARGV[20]  the latest time in epoch ms that it can be unless the clock was set forward; '' if unknown
-- ARGV[21]  the token of the take that asked the worker to yield to a suspect; '' if none did
--
-- Returns 1 if the queue is paused; in how many ms to take again, -1 if nothing is due; the repeats that are due, each with its
-- slot; the jobs, each with its fields; the time; 1 if the job is a suspect, 2 if the worker should yield to one; a code of what
-- was published; the jobs that died of their crashes, each as id and name.
local n, q, now = {}, KEYS[1], now_ms()
for i = 1, #ARGV do
  n[i] = tonumber(ARGV[i])
end
local done, dead, died, more = { n[12], n[13], n[14] }, { n[15], n[16], n[17] }, {}, false
local limits = { starts = n[5], per = n[6], group = n[7], group_starts = n[8], group_per = n[9] }
limits.groups = limits.group > 0 or limits.group_starts > 0
-- Live workers renew their leases every third of the lease time. If leases seem to have expired only because the clock was set
-- forward or the server was unreachable, they will be renewed before the clock is trusted again.
local tolerance = math.max(n[2] / 4, 100)
local trusted = n[19] == 1 and (not n[20] or now <= n[20] + tolerance)
if is_clock_trusted(q, now, n[2], tolerance) or trusted then
  more = reclaim(q, now, n[10], ARGV[11], dead, died)
end
more = promote(q, now) or more
resume_groups(q, now, limits)
local due = redis.call('ZRANGEBYSCORE', q .. REPEATS, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 16)
local paused = redis.call('HGET', q .. META, 'paused')
local ceiling, next_in = start_ceiling(q, now, paused and 0 or n[1], n[4], limits)
capacities = {}
local take = { q = q, now = now, lease = n[2], token = ARGV[3], limits = limits, ceiling = ceiling, jobs = {} }
local examined, exclusive, behind = 0, take_suspect(take, n[18] == 1, ARGV[21])
if exclusive == 0 then
  examined = take_ready(take, ceiling)
end
if more or behind or exclusive == 1 or examined >= 200 or #due == 32 or #take.jobs / 2 == n[1] then
  next_in = 0
else
  -- A worker that yields continues soon after an idle one has taken the suspect.
  next_in = next_due(q, now, exclusive == 2 and math.min(next_in or math.huge, math.floor(n[2] / 10)) or next_in) or -1
end
if #take.jobs == 0 then
  prune(q, now, dead, done, n[2])
end
publish(q)
return { paused and 1 or 0, next_in, due, take.jobs, now, exclusive, published_code(), died }
