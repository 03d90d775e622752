-- Lists jobs of a state.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  state
-- ARGV[2]  how many jobs to skip
-- ARGV[3]  how many jobs to return at most
-- ARGV[4]  how many bytes of data and results to return at most
--
-- Returns how many jobs were examined, 1 if there may be more, and the jobs as `view` builds them.
local q, state, skip, most, bytes = KEYS[1], ARGV[1], ARGV[2] + 0, ARGV[3] + 0, ARGV[4] + 0
local set = ({ ready = READY, delayed = DELAYED, active = LEASED, done = DONE, dead = DEAD })[state]
local newest = state == 'done' or state == 'dead'
local ids
if newest then
  ids = redis.call('ZREVRANGE', q .. set, skip, skip + most - 1, 'WITHSCORES')
else
  ids = redis.call('ZRANGE', q .. set, skip, skip + most - 1, 'WITHSCORES')
end
if state == 'ready' then
  -- Followed by suspects, then by jobs whose group is full.
  local before = redis.call('ZCARD', q .. READY)
  for _, other in ipairs({ SUSPECTS, PARKED }) do
    if #ids < 2 * most then
      local from = math.max(0, skip - before)
      for _, more in ipairs(redis.call('ZRANGE', q .. other, from, from + most - #ids / 2 - 1, 'WITHSCORES')) do
        ids[#ids + 1] = more
      end
      before = before + redis.call('ZCARD', q .. other)
    end
  end
end
local jobs, examined = {}, 0
for i = 1, #ids, 2 do
  if bytes <= 0 then
    break
  end
  local job = view(q, ids[i], state, ids[i + 1])
  examined = examined + 1
  if job then
    jobs[#jobs + 1] = job
    local fields = job[6]
    bytes = bytes - #(fields[2] or '') - #(fields[10] or '') - #(fields[11] or '')
  end
end
return { examined, (examined < #ids / 2 or #ids == 2 * most) and 1 or 0, jobs }
