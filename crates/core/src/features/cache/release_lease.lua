-- Deletes the lease of a load that produced no value, unless a later load shares it.
-- KEYS[1] the lease
-- ARGV[1] its epoch and the number of the load
-- Returns 1, or 0 if it was not deleted.
local epoch, loads = string.match(redis.call('GET', KEYS[1]) or '', '^(%x+):(%d+):%d+$')
if not epoch or epoch .. ':' .. loads ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
