-- Takes jobs. KEYS: the queue. ARGV: how many; lease in ms; token; limits, 0 for none: how many at once, how many starts in
-- how many ms, how many of a group at once, how many starts of a group in how many ms; how many crashes make a job dead, and
-- what is said of it then; how many done, then dead jobs are kept, for how many ms, in how many bytes.
-- Answers: 1 when it is paused; in how many ms to ask again, -1 when nothing is due; repeats that are due, each with when;
-- the jobs, each with its fields.
local n = {}
for i = 1, #ARGV do
  n[i] = tonumber(ARGV[i])
end
local q, now = KEYS[1], time()
local done, dead = { n[12], n[13], n[14] }, { n[15], n[16], n[17] }
local limits = { starts = n[5], per = n[6], group = n[7], group_starts = n[8], group_per = n[9] }
limits.groups = limits.group > 0 or limits.group_starts > 0
local more = reap(q, now, n[10], ARGV[11], dead)
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
local looked, probed = 0, false
while #take.jobs / 2 < ceiling and looked < 200 do
  local found = pick(take, ceiling - #take.jobs / 2)
  looked = looked + found
  if found == 0 then
    if probed or not probe(take) then
      break
    end
    probed = true
  end
end
if more or looked >= 200 or #due == 32 or #take.jobs / 2 == n[1] then
  next_in = 0
else
  next_in = soonest(q, now, next_in) or -1
end
if #take.jobs == 0 then
  tidy(q, now, dead, done)
end
publish(q)
return { paused and 1 or 0, next_in, due, take.jobs }
