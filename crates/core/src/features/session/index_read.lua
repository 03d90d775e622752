-- Reads an index.
-- KEYS[1] the index
-- Returns the ids of the entries that have not expired, ordered by expiry.
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('(%.0f', now_ms()), '+inf')
