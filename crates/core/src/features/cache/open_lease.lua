-- Opens the lease of a key for a load, or joins the existing one. A lease is an epoch, the number of loads that have opened it,
-- and the number of the latest of these that has stored its value.
-- KEYS[1] the lease
-- ARGV[1] the epoch of a new lease
-- ARGV[2] the minimum ttl in ms
-- Returns the epoch and the number of this load.
local epoch, loads, stored = string.match(redis.call('GET', KEYS[1]) or '', '^(%x+):(%d+):(%d+)$')
if not epoch then
  epoch, loads, stored = ARGV[1], '0', '0'
end
local number = string.format('%d', tonumber(loads) + 1)
local left = redis.call('PTTL', KEYS[1])
local ttl = left > (tonumber(ARGV[2]) or 0) and string.format('%d', left) or ARGV[2]
redis.call('SET', KEYS[1], epoch .. ':' .. number .. ':' .. stored, 'PX', ttl)
return epoch .. ':' .. number
