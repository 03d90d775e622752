-- Claims the load of a key for one process, unless another has claimed it.
-- KEYS[1] the claim
-- ARGV[1] the token of the caller
-- ARGV[2] its ttl in ms
-- ARGV[3] the token of the claim for which the caller has waited, or ''
-- Returns the token of the claim, with 'failed:' before it if its load has produced no value and the caller has waited for it.
local holder = redis.call('GET', KEYS[1])
if holder and (string.sub(holder, 1, 7) ~= 'failed:' or holder == 'failed:' .. ARGV[3]) then
  return holder
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
