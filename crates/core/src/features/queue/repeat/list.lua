-- Lists repeats by their next slots.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  index of the first
-- ARGV[2]  index of the last
--
-- Returns the repeats, each as id, slot and fields.
local q, out = KEYS[1], {}
local found = redis.call('ZRANGE', q .. REPEATS, ARGV[1], ARGV[2], 'WITHSCORES')
for i = 1, #found, 2 do
  local stored = redis.call('HMGET', q .. REPEAT .. found[i], 's', 'f', 'l', 'n', 'd', 'o')
  out[#out + 1] = { found[i], found[i + 1], stored }
end
return out
