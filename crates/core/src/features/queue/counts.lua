-- Counts jobs by state.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
--
-- Returns the numbers of ready, parked, suspect, delayed, active, done and dead jobs, then 1 if the queue is paused.
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
