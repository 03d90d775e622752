-- Reads a job for a caller that waits for its end.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  id
-- ARGV[2]  '1' to register a waiter
--
-- Returns the job as `view` builds it, or the outcome stored for its waiters; nil if the job is unknown.
local q, id = KEYS[1], ARGV[1]
local job = find(q, id)
if job then
  if ARGV[2] == '1' and job[2] ~= 'done' and job[2] ~= 'dead' then
    -- Out of memory: no waiter is registered, so the outcome is found only if the job itself is retained.
    redis.pcall('HINCRBY', q .. WAITERS, id, 1)
  end
  return job
end
local stored = redis.pcall('HMGET', q .. OUTCOME .. id, 's', 'v')
if not stored[1] then
  return false
end
local done = stored[1] == 'done'
local result, why = done and stored[2], not done and stored[2]
return { id, stored[1], '0', '', false, { '', '', '0', false, false, false, false, false, false, result, why } }
