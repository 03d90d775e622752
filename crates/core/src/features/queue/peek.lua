-- Reads a job for a waiting caller. KEYS: the queue. ARGV: id, 1 to register a waiter. Returns the job, or the outcome kept for
-- its waiters; nil if the job is unknown.
local q, id = KEYS[1], ARGV[1]
local job = find(q, id)
if job then
  if ARGV[2] == '1' and job[2] ~= 'done' and job[2] ~= 'dead' then
    -- Out of memory: no waiter is registered, so the outcome is found only if the job itself is kept.
    redis.pcall('HINCRBY', q .. WAITERS, id, 1)
  end
  return job
end
local kept = redis.pcall('HMGET', q .. OUTCOME .. id, 's', 'v')
if not kept[1] then
  return false
end
local done = kept[1] == 'done'
local result, why = done and kept[2], not done and kept[2]
return { id, kept[1], '0', '', false, { '', '', '0', false, false, false, false, false, false, result, why } }
