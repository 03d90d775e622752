-- KEYS[2] is what the key of each repeat begins with. ARGV: how many to leave out, how many to answer.
local found = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[1] + ARGV[2] - 1, 'WITHSCORES')
local out = {}
for i = 1, #found, 2 do
  out[#out + 1] = { found[i], found[i + 1], redis.call('HGETALL', KEYS[2] .. found[i]) }
end
return out
