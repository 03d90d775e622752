-- Counts an invalidation of a user. KEYS: the counter. ARGV: its name if it is new, its ttl in ms.
local known = redis.call('GET', KEYS[1])
local name, count = string.match(known or '', '^(%w+):(%d+)$')
if not name then
  name, count = ARGV[1], 0
end
local kept = redis.pcall('SET', KEYS[1], string.format('%s:%.0f', name, count + 1), 'PX', ARGV[2])
if type(kept) == 'table' and kept.err then
  -- The server is out of memory. Without a counter, loads that started earlier are not trusted.
  redis.call('DEL', KEYS[1])
end
return 1
