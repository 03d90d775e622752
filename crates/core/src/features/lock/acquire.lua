-- Acquires a lock.
-- KEYS[1] the lock
-- KEYS[2] the last fencing token of its resource
-- ARGV[1] the caller's token
-- ARGV[2] the ttl of the lock in ms
-- ARGV[3] the ttl of the fencing token in ms
-- Returns the fencing token, or 0 if another caller has the lock.
return take(KEYS[1], KEYS[2], ARGV[1], ARGV[2], ARGV[3])
