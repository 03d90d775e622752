-- Restarts dead jobs, the oldest first, at most 100 in a run.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  how many jobs at most
-- ARGV[2]  how many jobs to skip, which an earlier run could not restart
-- ARGV[3]  the time in epoch ms up to which they died; '' for now
--
-- Returns how many were restarted, how many more could not be, 1 if there may be others, and that time.
local q, most, skip = KEYS[1], math.min(ARGV[1] + 0, 100), ARGV[2] + 0
local cut = ARGV[3] == '' and now_ms() or ARGV[3] + 0
local dead = redis.call('ZRANGEBYSCORE', q .. DEAD, '-inf', cut * 2048 + 2047, 'WITHSCORES', 'LIMIT', skip, most)
local restarted, left = 0, 0
for i = 1, #dead, 2 do
  if restart(q, dead[i], dead[i + 1]) then
    restarted = restarted + 1
  elseif redis.call('ZSCORE', q .. DEAD, dead[i]) then
    left = left + 1
  end
end
publish(q)
return { restarted, left, #dead == 2 * most and 1 or 0, cut }
