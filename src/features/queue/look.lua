-- Looks at a job that somebody waits for. KEYS: the queue. ARGV: id, 1 to be counted among those who wait for it.
-- Answers what it is like, or how it ended for those who waited before; nothing when nobody knows.
local q, id = KEYS[1], ARGV[1]
local job = find(q, id)
if job then
  if ARGV[2] == '1' and job[2] ~= 'done' and job[2] ~= 'dead' then
    -- A full server lets nobody in: then only what is kept can be found.
    redis.pcall('HINCRBY', q .. WAITED, id, 1)
  end
  return job
end
local kept = redis.pcall('HMGET', q .. END .. id, 's', 'v')
if not kept[1] then
  return false
end
local done = kept[1] == 'done'
local result, why = done and kept[2], not done and kept[2]
return { id, kept[1], '0', '', false, { '', '', '0', false, false, false, false, false, false, result, why } }
