-- Releases the lease of a load that produced no value. KEYS: the lease. ARGV: its mark. Returns 1, or 0 if it was gone.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
