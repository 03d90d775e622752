-- Counts an invalidation of a user.
-- KEYS[1] the counter
-- ARGV[1] the name of the counter if it is new
-- ARGV[2] its ttl in ms
-- Returns 1.
local known = redis.call('GET', KEYS[1])
local name, count = string.match(known or '', '^(%w+):(%d+)$')
if not name then
  name, count = ARGV[1], 0
end
local stored = redis.pcall('SET', KEYS[1], string.format('%s:%.0f', name, count + 1), 'PX', ARGV[2])
if type(stored) == 'table' and stored.err then
  -- The server is out of memory. Without a counter, loads that started earlier are not trusted.
  redis.call('DEL', KEYS[1])
end
return 1
