-- Stores the user of a token, unless the load was cancelled.
-- KEYS[1] the token
-- KEYS[2] the epoch of its load
-- ARGV[1] that epoch when the load started
-- ARGV[2] the value
-- ARGV[3] its ttl in ms
-- ARGV[4] the ending of tokens
-- Returns 1, or 0 if nothing was stored.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, -#ARGV[4]) ~= ARGV[4] then
  -- A session has this id. It is not overwritten.
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
