-- Deletes a session or a validated token. KEYS: it, the mark of a load for it.
-- ARGV: what tokens end with, 1 to delete a token and 0 a session, what the value must end with or ''.
-- Answers nil when there was none, else {value, life in ms that it had left}. A token's load is called off in any case.
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
