-- Answers the mark under a key, and makes one where there is none. It lives at least as long as is asked for.
-- KEYS: the mark. ARGV: a new mark, life in ms. Answers the mark.
local mark = redis.call('GET', KEYS[1])
if not mark then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return mark
