-- Ends a token after its successor has been written, if the session has not changed meanwhile.
-- KEYS[1] the session under the old token
-- ARGV[1] the value that was read
-- ARGV[2] what is left under the old token
-- ARGV[3] its ttl in ms
-- Returns 1; the current value if it was changed concurrently; nil if the session is missing.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then
  return current
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
