-- Pauses or resumes a queue. KEYS: the queue. ARGV: 'pause' or 'resume'.
local q = KEYS[1]
if ARGV[1] == 'pause' then
  redis.call('HSET', q .. META, 'paused', 1)
elseif redis.call('HDEL', q .. META, 'paused') == 1 then
  redis.pcall('PUBLISH', KEYS[3] .. WAKE, '1')
end
return 1
