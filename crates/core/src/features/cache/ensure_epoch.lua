-- Returns the mark at a key, or creates one if there is none, with at least the given ttl. KEYS: the mark. ARGV: a new mark,
-- ttl in ms. Returns the mark.
local mark = redis.call('GET', KEYS[1])
-- A bit more than necessary, so that the next call rarely has to extend it.
local function keep()
  return string.format('%.0f', math.floor(ARGV[2] * 1.125))
end
if not mark then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', keep())
  return ARGV[1]
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], keep())
end
return mark
