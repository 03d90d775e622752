-- Stores the value of a load, unless its key was written or removed after the load started. KEYS: the entry, its lease. ARGV:
-- the lease's mark, the value, its ttl in ms. Returns 1, or 0 if nothing was stored.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
-- The lease is kept a moment longer. A caller that has just missed the value can then tell that nothing changed, and shares it.
redis.call('PEXPIRE', KEYS[2], 1000)
return 1
