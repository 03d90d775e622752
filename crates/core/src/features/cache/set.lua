-- Stores a value, and deletes the lease, so that loads in flight cannot store theirs.
-- KEYS[1] the entry
-- KEYS[2] its lease
-- ARGV[1] the value
-- ARGV[2] its ttl in ms
-- Returns 1.
--
-- SET comes first: a server without memory rejects a command that needs some only until the script has written something.
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('DEL', KEYS[2])
return 1
