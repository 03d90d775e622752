-- Reads the messages after a number, oldest first. At least two messages are returned if there are any, because the caller may
-- already have the first of them.
-- KEYS[1] the messages
-- KEYS[2] the numbers
-- ARGV[1] the number
-- ARGV[2] the maximum size of the result in bytes
-- Returns the last number, the first number of this numbering, 1 if there are more messages than fit, then the messages.
local numbers = redis.call('HMGET', KEYS[2], 'seq', 'first')
local since, bytes_left = tonumber(ARGV[1]), tonumber(ARGV[2])
local out = { numbers[1], numbers[2], 0 }
if not numbers[1] or tonumber(numbers[1]) <= since then
  return out
end
for stop = redis.call('LLEN', KEYS[1]) - 1, 0, -10 do
  local some = redis.call('LRANGE', KEYS[1], math.max(stop - 9, 0), stop)
  for i = #some, 1, -1 do
    -- Messages without a number were stored, not sent.
    local number = tonumber(string.match(string.sub(some[i], -32), '"seq":(%d+)}$'))
    if number and number > since then
      bytes_left = bytes_left - #some[i]
      if bytes_left < 0 and #out > 4 then
        out[3] = 1
        return out
      end
      out[#out + 1] = some[i]
    end
  end
end
return out
