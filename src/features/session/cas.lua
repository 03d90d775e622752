-- Stores a session's new JSON if it is what the caller read: 1. Else what it is now; nil when it is gone.
-- KEYS: the session. ARGV: JSON that was read, new JSON, life in ms.
local current = redis.call('GET', KEYS[1])
if current == ARGV[1] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
return current
