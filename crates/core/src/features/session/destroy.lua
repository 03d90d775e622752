-- Deletes a session or a validated token, and cancels the load of a token in any case.
-- KEYS[1] the session or token
-- KEYS[2] the epoch of a load of the token
-- ARGV[1] the ending of validated tokens
-- ARGV[2] the endings of all kinds but that of sessions under their id, each with a | behind it
-- ARGV[3] the ending of what is to be deleted, or '' for a session under its id
-- ARGV[4] the required ending of the value, or ''
-- Returns {value, remaining ttl in ms}, or nil if there is no such value.
if ARGV[3] == ARGV[1] then
  redis.call('DEL', KEYS[2])
end
local value = redis.call('GET', KEYS[1])
if not value then
  return false
end
local ending = string.sub(value, -#ARGV[1])
if not string.find(ARGV[2], ending .. '|', 1, true) then
  ending = ''
end
if ending ~= ARGV[3] or (ARGV[4] ~= '' and string.sub(value, -#ARGV[4]) ~= ARGV[4]) then
  return false
end
local left = redis.call('PTTL', KEYS[1])
redis.call('DEL', KEYS[1])
return {value, left}
