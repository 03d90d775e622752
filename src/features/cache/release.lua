-- Gives a lease back: its load brought nothing. KEYS: the lease. ARGV: its mark. Answers 1, or 0 when it was gone.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
