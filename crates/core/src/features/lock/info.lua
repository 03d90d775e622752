-- Describes a lock.
-- KEYS[1] the lock
-- KEYS[2] the last fencing token of its resource
-- KEYS[3] the waiting callers, by when their entries expire
-- Returns the remaining ttl in ms (-2 if it is free, -1 without a ttl), the fencing token or '0', and how many wait.
local waiting = redis.call('ZRANGEBYSCORE', KEYS[3], now_ms(), '+inf')
return { redis.call('PTTL', KEYS[1]), redis.call('GET', KEYS[2]) or '0', #waiting }
