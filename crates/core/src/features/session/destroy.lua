-- Deletes a session or a validated token, and cancels the load of a token in any case.
-- KEYS[1] the session or token
-- KEYS[2] the epoch of a load of the token
-- ARGV[1] the ending of tokens
-- ARGV[2] 1 to delete a token, 0 to delete a session
-- ARGV[3] the required ending of the value, or ''
-- Returns {value, remaining ttl in ms}, or nil if there is no such value.
if ARGV[2] == '1' then
  redis.call('DEL', KEYS[2])
end
local value = redis.call('GET', KEYS[1])
if not value or (string.sub(value, -#ARGV[1]) == ARGV[1]) ~= (ARGV[2] == '1') then
  return false
end
if ARGV[3] ~= '' and string.sub(value, -#ARGV[3]) ~= ARGV[3] then
  return false
end
local left = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
return {value, left}
