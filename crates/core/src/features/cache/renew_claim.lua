-- Renews a claim, if the caller still has it.
-- KEYS[1] the claim
-- ARGV[1] the token of the caller
-- ARGV[2] the ttl in ms
-- Returns 1, or 0 if the caller does not have it.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
