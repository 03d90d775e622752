-- Expires the epoch of a tag: values that record it become stale, but stay valid.
-- KEYS[1] the epoch
-- Returns 1, or 0 if the tag has no epoch, which means that no value with the tag is stored.
--
-- An expired epoch is its id and the times at which it was expired, in ms since 1970, each later than the one before. Of more than 16 the second is
-- dropped, and the one behind it marked by a tilde.
local id, times = string.match(redis.call('GET', KEYS[1]) or '', '^(%x+):?([%d,~]*)$')
if not id then
  return 0
end
local last = tonumber(string.match(times, '%d+$') or 0)
local time = string.format('%.0f', math.max(now_ms(), last + 1))
local _, commas = string.gsub(times, ',', ',')
if commas >= 15 then
  times = string.gsub(times, '^(%d+),~?%d+,', '%1,~')
end
local expired = id .. ':' .. (times == '' and '' or times .. ',') .. time
local ttl = redis.call('PTTL', KEYS[1])
if ttl < 0 then
  redis.call('SET', KEYS[1], expired)
else
  redis.call('SET', KEYS[1], expired, 'PX', math.max(ttl, 1))
end
return 1
