-- Pauses or resumes a queue.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  'pause' or 'resume'
--
-- Returns 1.
local q = KEYS[1]
if ARGV[1] == 'pause' then
  redis.call('HSET', q .. META, 'paused', 1)
elseif redis.call('HDEL', q .. META, 'paused') == 1 then
  redis.pcall('PUBLISH', KEYS[3] .. WAKE, '1')
end
return 1
