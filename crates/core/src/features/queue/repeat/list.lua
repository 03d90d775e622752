-- Repeats, each with its slot and its fields. KEYS: the queue. ARGV: how many to leave out, the index of the last.
local q, out = KEYS[1], {}
local found = redis.call('ZRANGE', q .. REPEATS, ARGV[1], ARGV[2], 'WITHSCORES')
for i = 1, #found, 2 do
  local kept = redis.call('HMGET', q .. REPEAT .. found[i], 's', 'f', 'l', 'n', 'd', 'o')
  out[#out + 1] = { found[i], found[i + 1], kept }
end
return out
