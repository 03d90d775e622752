-- Resets the counter of a fixed window.
-- KEYS[1] the counter
-- ARGV[1] the channel of what may be allowed again
-- Returns how many keys were deleted.
local deleted = redis.call('DEL', KEYS[1])
if deleted > 0 then
  redis.pcall('PUBLISH', ARGV[1], KEYS[1])
end
return deleted
