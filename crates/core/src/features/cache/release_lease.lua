-- Releases the lease of a load that produced no value, unless a later load has it too. KEYS: the lease. ARGV: its mark and the
-- number of the load. Returns 1, or 0 if it was gone.
local mark, asked = string.match(redis.call('GET', KEYS[1]) or '', '^(%x+):(%d+):%d+$')
if not mark or mark .. ':' .. asked ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
