-- Gives a message its number, puts it before the others, keeps the newest and tells who listens; answers the number, below 0 if publishing was denied.
-- KEYS: the messages, the numbers. ARGV: JSON without number and brace, how many to keep, life in ms, life of the numbers in
-- ms, channel, a number that was seen before.
local seq = redis.call('HGET', KEYS[2], 'seq')
local seen = tonumber(ARGV[6])
local first
if seq and tonumber(seq) >= seen then
  seq = seq + 1
else
  -- The numbering is new, or the store has forgotten some of it: no number may come again.
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
