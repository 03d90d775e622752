-- Removes an entry. Loads that are in flight store nothing any more. KEYS: the entry, its lease. Returns how many entries there were.
redis.call('DEL', KEYS[2])
return redis.call('UNLINK', KEYS[1])
