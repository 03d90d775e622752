-- Reads a session and its remaining ttl. KEYS: the session. Returns nil, or {value, ms}.
local value = redis.call('GET', KEYS[1])
if not value then
  return false
end
return {value, redis.call('PTTL', KEYS[1])}
