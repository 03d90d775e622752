-- Counts one invalidation of a user. KEYS: the count. ARGV: a name for it where there is none, its life in ms.
local known = redis.call('GET', KEYS[1])
local name, count = string.match(known or '', '^(%w+):(%d+)$')
if not name then
  name, count = ARGV[1], 0
end
local kept = redis.pcall('SET', KEYS[1], string.format('%s:%.0f', name, count + 1), 'PX', ARGV[2])
if type(kept) == 'table' and kept.err then
  -- A full server takes nothing. Without a count nobody trusts the loads that began by it.
  redis.call('DEL', KEYS[1])
end
return 1
