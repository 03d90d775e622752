-- Replaces a text if it is still the one that the caller read.
-- KEYS[1] the text
-- ARGV[1] the text that was read
-- ARGV[2] the new text
-- ARGV[3] its ttl in ms, or '' for none
-- Returns 1 if it was replaced, the current text if it was changed concurrently, and nil if it does not exist.
local current = redis.call('GET', KEYS[1])
if current ~= ARGV[1] then
  return current
end
if ARGV[3] == '' then
  redis.call('SET', KEYS[1], ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
end
return 1
