-- Takes a session that ended out of an index. KEYS: the index. ARGV: id, life in ms that it had left.
-- An entry that ends later belongs to a session that took the same id since: it stays.
local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not ends then
  return 0
end
local time = redis.call('TIME')
if tonumber(ends) > time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[2] then
  return 0
end
return redis.call('ZREM', KEYS[1], ARGV[1])
