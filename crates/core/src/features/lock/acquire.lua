-- Acquires a lock, or finds that the caller has it already, since the reply of an earlier attempt may have been lost.
-- KEYS[1] the lock
-- KEYS[2] the last fencing token of its resource
-- ARGV[1] the caller's token
-- ARGV[2] the ttl of the lock in ms
-- ARGV[3] the ttl of the fencing token in ms
-- Returns the fencing token, above all earlier ones and not below the store's µs; 0 if another caller has the lock.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then
  return 0
end
local last = tonumber(redis.call('GET', KEYS[2]))
if not (holder and last) then
  last = math.max((last or 0) + 1, now_us())
end
redis.call('SET', KEYS[2], string.format('%.0f', last), 'PX', ARGV[3])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return last
