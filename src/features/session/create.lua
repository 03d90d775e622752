-- Stores a session unless the id is taken. KEYS: the session.
-- ARGV: the value, life in ms, what a value ends with that counts no longer and may go, or ''.
-- Answers 1, or 0 when it is taken.
local value = redis.call('GET', KEYS[1])
if value and (ARGV[3] == '' or string.sub(value, -#ARGV[3]) ~= ARGV[3]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
