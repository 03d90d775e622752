-- Takes jobs. KEYS: the queue. ARGV: how many; lease in ms; token; limits, 0 for none: how many at once, how many starts in
-- how many ms, how many of a group at once, how many starts of a group in how many ms; how many crashes make a job dead, and
-- what is said of it then; how many done, then dead jobs are kept, for how many ms, in how many bytes; 1 for a worker that has
-- nothing to do; 1 where leases that are over may be taken over, and the latest that it can be unless the clock was set forward;
-- the token of the take that told the worker to make way, '' if none did.
-- Answers: 1 when it is paused; in how many ms to ask again, -1 when nothing is due; repeats that are due, each with when;
-- the jobs, each with its fields; the time; 1 when the job is one that runs alone, 2 when such a one waits until the worker has
-- nothing else; what was published; who died here, id and name.
local n = {}
for i = 1, #ARGV do
  n[i] = tonumber(ARGV[i])
end
local q, now = KEYS[1], now_ms()
local done, dead = { n[12], n[13], n[14] }, { n[15], n[16], n[17] }
local limits = { starts = n[5], per = n[6], group = n[7], group_starts = n[8], group_per = n[9] }
limits.groups = limits.group > 0 or limits.group_starts > 0
local died, more = {}, false
-- Live workers renew their leases every third of the lease time. If leases seem to have expired only because the clock was set
-- forward or the server was unreachable, they will be renewed before the clock is trusted again.
local tolerance = math.max(n[2] / 4, 100)
local trusted = n[19] == 1 and (not n[20] or now <= n[20] + tolerance)
if is_watched(q, now, n[2], tolerance) or trusted then
  more = reap(q, now, n[10], ARGV[11], dead, died)
end
more = promote(q, now) or more
resume(q, now, limits)
local due = redis.call('ZRANGEBYSCORE', q .. REPEATS, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 16)
local paused = redis.call('HGET', q .. META, 'paused')
local ceiling, next_in = paused and 0 or n[1], nil
if n[4] > 0 then
  ceiling = math.min(ceiling, n[4] - redis.call('ZCARD', q .. LEASED))
end
if limits.starts > 0 and ceiling > 0 then
  local room, wait = room_in(q .. STARTS, limits.starts, limits.per, now, ceiling)
  if room < ceiling then
    ceiling, next_in = room, wait
  end
end
rooms = {}
local take = { q = q, now = now, lease = n[2], token = ARGV[3], limits = limits, ceiling = ceiling, jobs = {} }
local looked, alone, behind = 0, take_alone(take, n[18] == 1, ARGV[21])
if alone == 0 then
  looked = fill(take, ceiling)
end
if more or behind or alone == 1 or looked >= 200 or #due == 32 or #take.jobs / 2 == n[1] then
  next_in = 0
else
  -- A worker that makes way goes on soon after an idle one has taken the suspect.
  next_in = soonest(q, now, alone == 2 and math.min(next_in or math.huge, math.floor(n[2] / 10)) or next_in) or -1
end
if #take.jobs == 0 then
  tidy(q, now, dead, done, n[2])
end
publish(q)
return { paused and 1 or 0, next_in, due, take.jobs, now, alone, published(), died }
