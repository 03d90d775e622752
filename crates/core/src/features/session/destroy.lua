-- Deletes a session or a validated token. KEYS: it, the mark of a load for it.
-- ARGV: the ending of tokens, 1 to delete a token or 0 for a session, the required ending of the value or ''. Returns nil if
-- there was none, otherwise {value, remaining ttl in ms}. The load for a token is cancelled in any case.
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
