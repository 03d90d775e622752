-- Describes a lock.
-- KEYS[1] the lock
-- KEYS[2] the last fencing token of its resource
-- KEYS[3] the waiting callers, by when their entries expire
-- KEYS[4] the readers, by when their leases end
-- Returns the remaining ttl in ms (-2 if it is free, -1 without a ttl), the fencing token or '0', how many wait, the store's ms, whether readers
-- hold it, and the tokens of its holders.
local now = now_ms()
local waiting = redis.call('ZRANGEBYSCORE', KEYS[3], now, '+inf')
local holder = redis.call('GET', KEYS[1])
local is_read = holder == READERS
local holders = is_read and redis.call('ZRANGEBYSCORE', KEYS[4], '(' .. now, '+inf') or { holder or nil }
return { redis.call('PTTL', KEYS[1]), string.format('%.0f', last_fence(KEYS[2]) or 0), #waiting, now, is_read and 1 or 0, holders }
