-- Ends a claim, if the caller still has it. That its load has produced no value is stored for a second, for callers that have waited.
-- KEYS[1] the claim
-- ARGV[1] the token of the caller
-- ARGV[2] 1 if there is no value, else 0
-- Returns 1, or 0 if the caller did not have it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] == '1' then
  redis.call('SET', KEYS[1], 'failed:' .. ARGV[1], 'PX', 1000)
else
  redis.call('DEL', KEYS[1])
end
return 1
