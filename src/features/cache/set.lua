-- Stores a value in place of any other. Loads that are in flight store nothing any more.
-- KEYS: the entry, its lease. ARGV: the value, its life in ms. Returns 1.
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
