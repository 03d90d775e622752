-- Finds the jobs of a take whose reply was lost, among the last 1000 jobs taken or renewed.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  token
--
-- Returns the jobs with this token, each as id and fields; then 1 if the job runs exclusively.
local q, jobs, exclusive = KEYS[1], {}, 0
local ids = redis.call('ZREVRANGE', q .. LEASED, 0, 999)
if #ids == 0 then
  return { jobs, exclusive }
end
local records = redis.call('HMGET', q .. LEASES, unpack(ids))
-- Backwards is the order in which they were taken, or nearly.
for i = #ids, 1, -1 do
  local token = ARGV[1] .. '\n'
  if records[i] and string.sub(records[i], 1, #token) == token then
    local fields = redis.pcall('HMGET', q .. JOB .. ids[i], 'n', 'd', 't', 'o', 'a', 'x', 'c')
    if fields[1] then
      push(jobs, ids[i], fields)
      exclusive = lease_of(records[i]).exclusive and 1 or exclusive
    end
  end
end
return { jobs, exclusive }
