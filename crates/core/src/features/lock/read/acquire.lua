-- Acquires a lock as a reader.
-- KEYS[1] the lock
-- KEYS[2] the last fencing token of its resource
-- KEYS[3] the waiting callers, by when their entries expire
-- KEYS[4] the readers, by when their leases end
-- ARGV[1] the caller's token
-- ARGV[2] the ttl of the lease in ms
-- ARGV[3] the ttl of the fencing token in ms
-- Returns the fencing token, or 0 if a writer has the lock or waits for it.
return join(KEYS[1], KEYS[2], KEYS[4], KEYS[3], nil, ARGV[1], ARGV[2], ARGV[3])
