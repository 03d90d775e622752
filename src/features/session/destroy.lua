-- Deletes a session. KEYS: the session, its own life and tags.
-- Answers nil when there was none, else {JSON, own life and tags, life in ms that it had left}.
local value = redis.call('GET', KEYS[1])
if not value then
  return false
end
local left = redis.call('PTTL', KEYS[1])
local own = redis.call('GET', KEYS[2])
redis.call('DEL', KEYS[1], KEYS[2])
return {value, own, left}
