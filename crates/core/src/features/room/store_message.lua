-- Puts a message before the others and keeps the newest. KEYS: the messages. ARGV: JSON, how many to keep, life in ms.
local size = redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, ARGV[2] - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return size
