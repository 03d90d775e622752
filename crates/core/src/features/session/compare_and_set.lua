-- Replaces a session's value if it is still the one that the caller read, and renews its ttl if that is due.
-- KEYS[1] the session
-- ARGV[1] the value that was read
-- ARGV[2] the new value
-- ARGV[3] the ttl in ms
-- ARGV[4] the remaining ttl in ms from which a renewal is not due yet; 0 to renew in any case, once the indexes are up to date
-- ARGV[5] the time in ms at which the session ends even if it is in use, or ''
-- Returns 1; 0 if a renewal is due, for which the indexes must be updated first; the current value if it was changed concurrently;
-- nil if the session is missing.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then
  return current
end
local ttl, sufficient = ARGV[3], tonumber(ARGV[4])
if ARGV[5] ~= '' then
  local most = ARGV[5] - now_ms()
  ttl = string.format('%.0f', math.max(1, math.min(tonumber(ttl), most)))
  -- Close to its end a session has less than a full ttl, however often it is renewed.
  sufficient = math.min(sufficient, most - 1000)
end
if ARGV[4] == '0' then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ttl)
  return 1
end
local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left < sufficient then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
