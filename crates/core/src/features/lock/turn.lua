-- Enters a caller behind those that wait for their turn already. Returns the remaining ms of what is before it: the lock, or the entry of
-- another; nil if it is the caller's turn.
local function wait_for_turn(lock, waiting, queue, token, lease)
  local now = now_ms()
  if not redis.call('ZSCORE', queue, token) then
    local last = redis.call('ZRANGE', queue, -1, -1, 'WITHSCORES')[2] or 0
    redis.call('ZADD', queue, last + 1, token)
  end
  redis.call('ZADD', waiting, now + lease, token)
  for _, key in ipairs({ waiting, queue }) do
    -- The entries of those that do not wait for their turn last longer.
    redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), lease))
  end
  local first, expires = first_in_queue(queue, waiting, now)
  if first ~= token then
    local left = redis.call('PTTL', lock)
    return math.max(left == -2 and expires - now or left, 0)
  end
end
