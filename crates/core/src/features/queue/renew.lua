-- Renews the leases of jobs.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  lease in ms
-- ARGV[2…]  for each job: id, token
--
-- Returns, for each job, 1 if the lease with this token was renewed; 0 otherwise.
local q = KEYS[1]
local ends = now_ms() + ARGV[1]
local ids, owned = owned_leases(q, ARGV, 2, 2)
local out, leases = {}, {}
for i, id in ipairs(ids) do
  out[i] = 0
  if owned[i] then
    out[i] = 1
    push(leases, ends, id)
  end
end
if #leases > 0 then
  begin_writing(q)
  redis.call('ZADD', q .. LEASED, unpack(leases))
end
return out
