-- Stores the value of a load, unless its key was written or removed after the load started, or a load that started later has
-- stored its own. KEYS: the entry, its lease. ARGV: the mark of the lease and the number of the load, the value, its ttl in ms.
-- Returns 1, or 0 if nothing was stored.
local mark, asked, stored = string.match(redis.call('GET', KEYS[2]) or '', '^(%x+):(%d+):(%d+)$')
local own, number = string.match(ARGV[1], '^(%x+):(%d+)$')
if not mark or mark ~= own or tonumber(number) < tonumber(stored) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
-- The lease is kept a moment longer. A caller that has just missed the value can then tell that nothing changed, and shares it.
-- It is kept as long as before for loads that started later.
local ttl = number == asked and 1000 or math.max(1000, redis.call('PTTL', KEYS[2]))
redis.call('SET', KEYS[2], mark .. ':' .. asked .. ':' .. number, 'PX', string.format('%d', ttl))
return 1
