-- Takes a session that ended out of an index. KEYS: the index. ARGV: id, life in ms that it had left.
-- An entry that ends later belongs to a session that took the same id since: it stays.
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends or tonumber(ends) > now + ARGV[2] then
  return 0
end
return redis.call('ZREM', KEYS[1], ARGV[1])
