-- Runs several commands as one.
-- KEYS  every key they touch
-- ARGV  for each command: how many words it has, then the words
-- Returns one pair each: {1, reply}, or {0, message} where it failed.
local out, at = {}, 1
while at <= #ARGV do
  local count = tonumber(ARGV[at])
  local words = {}
  for i = 1, count do
    words[i] = ARGV[at + i]
  end
  at = at + count + 1
  local reply = redis.pcall(unpack(words))
  if type(reply) == 'table' and reply.err then
    out[#out + 1] = { 0, reply.err }
  else
    out[#out + 1] = { 1, reply }
  end
end
return out
