-- Reads a session and its remaining ttl.
-- KEYS[1] the session
-- Returns {value, ttl in ms, the time in ms}, or nil if it is missing.
local value = redis.call('GET', KEYS[1])
if not value then
  return false
end
return {value, redis.call('PTTL', KEYS[1]), now_ms()}
