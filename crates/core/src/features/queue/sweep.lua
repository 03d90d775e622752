-- Removes jobs of a state, at most 100 in a run.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  state
-- ARGV[2]  minimum age in ms, since the job finished or, if it has not, was added
-- ARGV[3]  how many jobs at most
-- ARGV[4]  how many jobs to skip, which an earlier run found too young
-- ARGV[5]  the time of the first run in epoch ms; '' in the first
--
-- Returns how many were removed, how many more were too young, 1 if there may be others, and the time of the first run.
local q, state, most, skip = KEYS[1], ARGV[1], math.min(ARGV[3] + 0, 100), ARGV[4] + 0
local now = ARGV[5] == '' and now_ms() or ARGV[5] + 0
local cut = now - ARGV[2]
local ids, young, removed = nil, 0, 0
if state == 'done' or state == 'dead' then
  local set = state == 'done' and DONE or DEAD
  ids = redis.call('ZRANGEBYSCORE', q .. set, '-inf', cut * 2048 + 2047, 'LIMIT', 0, most)
else
  local set = ({ ready = READY, delayed = DELAYED, parked = PARKED, suspects = SUSPECTS })[state]
  ids = redis.call('ZRANGE', q .. set, skip, skip + most - 1)
end
for _, id in ipairs(ids) do
  local added = redis.pcall('HMGET', q .. JOB .. id, 't')[1]
  if tonumber(added or 0) <= cut then
    erase(q, id)
    removed = removed + 1
  else
    young = young + 1
  end
end
reset_numbers(q)
publish(q)
return { removed, young, #ids == most and 1 or 0, now }
