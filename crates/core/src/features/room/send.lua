-- Gives a message its number, stores it as the newest of a room and publishes it.
-- KEYS[1] the messages
-- KEYS[2] the numbers
-- ARGV[1] the message as JSON, without its number and the closing brace
-- ARGV[2] how many messages to retain
-- ARGV[3] the ttl of the messages in ms
-- ARGV[4] the ttl of the numbers in ms
-- ARGV[5] the channel
-- ARGV[6] the highest number that the caller knows
-- Returns the number, negative if publishing was denied.
local seq = redis.call('HGET', KEYS[2], 'seq')
local seen = tonumber(ARGV[6])
local first
if seq and tonumber(seq) >= seen then
  seq = seq + 1
else
  -- The numbering is new, or the store has lost part of it. No number may be used twice. Microseconds, unlike `now_ms`.
  local time = redis.call('TIME')
  first = seq and seen + 1 or math.max(time[1] * 1000000 + time[2], seen + 1, 1e15)
  seq = first
end
local number = string.format('%.0f', seq)
local message = ARGV[1] .. number .. '}'
redis.call('LPUSH', KEYS[1], message)
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], 'seq', number)
if first then
  redis.call('HSET', KEYS[2], 'first', number)
end
redis.call('PEXPIRE', KEYS[2], ARGV[4])
local denied = type(redis.pcall('PUBLISH', ARGV[5], message)) == 'table'
return denied and '-' .. number or number
