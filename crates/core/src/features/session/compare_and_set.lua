-- Replaces a session's value if it is still the one that the caller read, and renews its ttl if that is due. KEYS: the session.
-- ARGV: the value read, the new value, ttl in ms, the remaining ttl in ms above which a renewal is not due. Returns 1; 0 if a
-- renewal is due and the indexes must be updated first (a last argument of 0 says that they were); the current value if it was
-- changed concurrently; nil if the session is gone.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then
  return current
end
if ARGV[4] == '0' then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
  return 1
end
local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left < tonumber(ARGV[4]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
