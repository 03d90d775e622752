-- Expires the epoch of a tag: values that record it become stale, but stay valid.
-- KEYS[1] the epoch
-- Returns 1, or 0 if there is none, since then no value records it.
--
-- An expired epoch is its id, when it was expired last, and when before that, if it was: in ms since 1970, each later than the one before.
local id, last = string.match(redis.call('GET', KEYS[1]) or '', '^(%x+):?(%d*)')
if not id then
  return 0
end
local time = math.max(now_ms(), (tonumber(last) or 0) + 1)
local expired = string.format('%s:%.0f:%s', id, time, last)
local ttl = redis.call('PTTL', KEYS[1])
if ttl < 0 then
  redis.call('SET', KEYS[1], expired)
else
  redis.call('SET', KEYS[1], expired, 'PX', math.max(ttl, 1))
end
return 1
