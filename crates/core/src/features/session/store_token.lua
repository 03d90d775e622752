-- Stores the user of a token, unless the load was cancelled. KEYS: the token, the mark of its load. ARGV: the mark, value, ttl
-- in ms, the ending of tokens. Returns 1 or 0.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, -#ARGV[4]) ~= ARGV[4] then
  -- A session with that id: it is kept.
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
