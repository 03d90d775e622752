-- Finds the jobs of a take whose reply was lost. KEYS: the queue. ARGV: token. Returns the jobs with this token among the last
-- 1000 taken or renewed, each with its fields, then 1 if the job runs alone.
local q, jobs, alone = KEYS[1], {}, 0
local ids = redis.call('ZREVRANGE', q .. LEASED, 0, 999)
if #ids == 0 then
  return { jobs, alone }
end
local records = redis.call('HMGET', q .. LEASES, unpack(ids))
-- From behind: that is the order in which they were taken, or nearly.
for i = #ids, 1, -1 do
  local token = ARGV[1] .. '\n'
  if records[i] and string.sub(records[i], 1, #token) == token then
    local fields = redis.pcall('HMGET', q .. JOB .. ids[i], 'n', 'd', 't', 'o', 'a', 'x', 'c')
    if fields[1] then
      push(jobs, ids[i], fields)
      alone = lease_of(records[i]).alone and 1 or alone
    end
  end
end
return { jobs, alone }
