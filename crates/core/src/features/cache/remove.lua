-- Removes an entry and its lease, so that loads in flight cannot store their values.
-- KEYS[1] the entry
-- KEYS[2] its lease
-- Returns how many entries were removed, 0 or 1.
redis.call('DEL', KEYS[2])
return redis.call('UNLINK', KEYS[1])
