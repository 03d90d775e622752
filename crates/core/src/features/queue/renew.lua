-- Renews leases. KEYS: the queue. ARGV: lease in ms, then id and token of each. Answers 1 for each that has this token.
local q = KEYS[1]
local ends = now_ms() + ARGV[1]
local ids, mine = held(q, ARGV, 2, 2)
local out, leases = {}, {}
for i, id in ipairs(ids) do
  out[i] = 0
  if mine[i] then
    out[i] = 1
    push(leases, ends, id)
  end
end
if #leases > 0 then
  begin(q)
  redis.call('ZADD', q .. LEASED, unpack(leases))
end
return out
