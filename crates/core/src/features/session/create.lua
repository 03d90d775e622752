-- Stores a session unless its id is taken.
-- KEYS[1] the session
-- ARGV[1] the value
-- ARGV[2] its ttl in ms
-- ARGV[3] the ending of an invalid value that may be overwritten, or ''
-- Returns 1, or 0 if the id is taken.
local value = redis.call('GET', KEYS[1])
if value and (ARGV[3] == '' or string.sub(value, -#ARGV[3]) ~= ARGV[3]) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
