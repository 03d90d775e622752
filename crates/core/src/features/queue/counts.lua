-- Counts jobs. KEYS: the queue. Returns the number of ready, parked, suspect, delayed, active, done and dead jobs, and 1 if
-- paused.
local q = KEYS[1]
return {
  redis.call('ZCARD', q .. READY),
  redis.call('ZCARD', q .. PARKED),
  redis.call('ZCARD', q .. SUSPECTS),
  redis.call('ZCARD', q .. DELAYED),
  redis.call('ZCARD', q .. LEASED),
  redis.call('ZCARD', q .. DONE),
  redis.call('ZCARD', q .. DEAD),
  redis.call('HEXISTS', q .. META, 'paused'),
}
