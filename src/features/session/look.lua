-- Reads a session and the life it has left. KEYS: the session. Answers nil, or {value, ms}.
local value = redis.call('GET', KEYS[1])
if not value then
  return false
end
return {value, redis.call('PTTL', KEYS[1])}
