-- Whether a caller that is no reader waits for the lock, not counting those in `queue`.
local function writer_waits(waiting, queue, now)
  for _, token in ipairs(redis.call('ZRANGEBYSCORE', waiting, now, '+inf')) do
    if not is_reader(token) and not (queue and redis.call('ZSCORE', queue, token)) then
      return true
    end
  end
  return false
end

-- Gives the lock to a reader, besides those that have it. Returns the fencing token; 0 if a writer has the lock, or waits for it, who would
-- never see it free. If it is the reader's turn in `queue`, writers in that come later.
local function join(lock, fence, readers, waiting, queue, token, ttl, fence_ttl)
  local now, holder = now_ms(), redis.call('GET', lock)
  if holder and holder ~= READERS then
    return 0
  end
  local joined = has_joined(holder, readers, token, now)
  if not holder then
    redis.call('DEL', readers)
  elseif not joined and writer_waits(waiting, queue, now) then
    return 0
  end
  redis.call('ZADD', readers, now + ttl, token)
  last_as_leases(lock, readers, now)
  return next_fence(fence, joined, fence_ttl)
end
