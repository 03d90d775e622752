-- Acquires a lock when it is the caller's turn. The caller is entered behind those that wait for their turn already.
-- KEYS[1] the lock
-- KEYS[2] the last fencing token of its resource
-- KEYS[3] the waiting callers, by when their entries expire
-- KEYS[4] the queue of those that wait for their turn
-- ARGV[1] the caller's token
-- ARGV[2] the ttl of the lock in ms
-- ARGV[3] the ttl of the fencing token in ms
-- ARGV[4] for how many ms the caller is entered
-- Returns the fencing token; or, as a number that is not above 0, the remaining ms of what is before the caller: the lock, or the entry of another.
local token = ARGV[1]
-- A reply that was lost may have said that it has the lock.
if redis.call('GET', KEYS[1]) ~= token then
  local left = wait_for_turn(KEYS[1], KEYS[3], KEYS[4], token, ARGV[4])
  if left then
    return -left
  end
end
local number = take(KEYS[1], KEYS[2], token, ARGV[2], ARGV[3])
if number > 0 then
  redis.call('ZREM', KEYS[3], token)
  redis.call('ZREM', KEYS[4], token)
  return number
end
return -math.max(redis.call('PTTL', KEYS[1]), 0)
