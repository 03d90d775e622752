-- Increments a counter, whose ttl begins with its first increment.
-- KEYS[1] the counter
-- ARGV[1] its ttl in ms
-- Returns the count.
local count = redis.call('INCR', KEYS[1])
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
return count
