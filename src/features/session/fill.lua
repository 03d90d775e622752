-- Stores the user behind a token, if the load that brought it was not called off.
-- KEYS: the token's, the mark of its load. ARGV: the mark, value, life in ms, what tokens end with.
-- Answers 1 or 0.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('DEL', KEYS[2])
local value = redis.call('GET', KEYS[1])
if value and string.sub(value, -#ARGV[4]) ~= ARGV[4] then
  -- A session of that id: it stays.
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
