-- Answers the tag clock's moment, and starts a clock where there is none.
-- KEYS[1] clock
-- ARGV[1] epoch of a new clock   ARGV[2] its life in ms
-- Returns {epoch, number}.
local epoch = redis.call('ZSCORE', KEYS[1], '\0e')
if not epoch then
  redis.call('ZADD', KEYS[1], ARGV[1], '\0e', 0, '\0s')
  epoch = redis.call('ZSCORE', KEYS[1], '\0e')
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { epoch, redis.call('ZSCORE', KEYS[1], '\0s') or '0' }
