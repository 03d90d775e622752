-- Stores a value in place of any other. Loads that are in flight store nothing any more.
-- KEYS: the entry, its lease. ARGV: the value, its life in ms. Returns 1.
-- First, as a server that is full refuses what needs memory only until a script has written something.
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return 1
