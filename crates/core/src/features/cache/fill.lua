-- Stores the value of a load, unless its key was written or removed after the load started, or a load that started later has
-- stored its own.
-- KEYS[1] the entry
-- KEYS[2] its lease
-- ARGV[1] the epoch of the lease and the number of the load
-- ARGV[2] the value
-- ARGV[3] its ttl in ms
-- Returns 1, or 0 if nothing was stored.
local epoch, loads, stored = string.match(redis.call('GET', KEYS[2]) or '', '^(%x+):(%d+):(%d+)$')
local expected, number = string.match(ARGV[1], '^(%x+):(%d+)$')
if not epoch or epoch ~= expected or tonumber(number) < tonumber(stored) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
-- The lease lives a second longer, so that a caller that has just missed the value can see that nothing has changed and share
-- it. For loads that started later, it keeps its ttl.
local ttl = number == loads and 1000 or math.max(1000, redis.call('PTTL', KEYS[2]))
redis.call('SET', KEYS[2], epoch .. ':' .. loads .. ':' .. number, 'PX', string.format('%d', ttl))
return 1
