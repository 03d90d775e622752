-- Acquires a lock as a reader when it is the caller's turn, and wakes the next one if that is a reader too. The caller is entered behind those
-- that wait for their turn already.
-- KEYS[1] the lock
-- KEYS[2] the last fencing token of its resource
-- KEYS[3] the waiting callers, by when their entries expire
-- KEYS[4] the queue of those that wait for their turn
-- KEYS[5] the readers, by when their leases end
-- ARGV[1] the caller's token
-- ARGV[2] the ttl of the lease in ms
-- ARGV[3] the ttl of the fencing token in ms
-- ARGV[4] for how many ms the caller is entered
-- ARGV[5] the channel on which waiting callers are woken
-- Returns the fencing token; or, as a number that is not above 0, the remaining ms of what is before the caller: the lock, or the entry of another.
local token = ARGV[1]
-- A reply that was lost may have said that it has the lock.
if not has_joined(redis.call('GET', KEYS[1]), KEYS[5], token, now_ms()) then
  local left = wait_for_turn(KEYS[1], KEYS[3], KEYS[4], token, ARGV[4])
  if left then
    return -left
  end
end
local number = join(KEYS[1], KEYS[2], KEYS[5], KEYS[3], KEYS[4], token, ARGV[2], ARGV[3])
if number > 0 then
  redis.call('ZREM', KEYS[3], token)
  redis.call('ZREM', KEYS[4], token)
  local next = first_in_queue(KEYS[4], KEYS[3], now_ms())
  if next and is_reader(next) then
    wake(KEYS[3], KEYS[4], ARGV[5])
  end
  return number
end
return -math.max(redis.call('PTTL', KEYS[1]), 0)
