-- Stores a session's new value if it is what the caller read, and renews its life where that is due.
-- KEYS: the session. ARGV: value that was read, new value, life in ms, how much of it is left at least when it is not due.
-- Answers 1; 0 when renewing is due, which the indexes must know first (a last argument of 0 says they do); what the
-- session is now when another was faster; nil when it is gone.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then
  return current
end
if ARGV[4] == '0' then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[4]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
