-- Stores what a load brought, unless something has been written or dropped under its key since it began.
-- KEYS: the entry, its lease. ARGV: the lease's mark, the value, its life in ms. Answers 1, or 0 when nothing was stored.
if redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
-- For a moment more: whoever has just missed the value sees by it that nothing else has happened, and shares what was loaded.
redis.call('PEXPIRE', KEYS[2], 1000)
return 1
