-- Returns the first caller of a queue whose entry has not expired, and when that does. Removes those before it. A user may lack the
-- permissions for this.
local function first_in_queue(queue, waiting, now)
  while true do
    local first = redis.pcall('ZRANGE', queue, 0, 0)[1]
    if not first then
      return nil
    end
    local expires = tonumber(redis.pcall('ZSCORE', waiting, first))
    if expires and expires > now then
      return first, expires
    end
    redis.pcall('ZREM', waiting, first)
    if redis.pcall('ZREM', queue, first) ~= 1 then
      return nil
    end
  end
end

-- Publishes that a lock is free, if callers wait for it: the token of the first in the queue, or nothing. Without the permissions for this, who
-- waits asks again.
local function wake(waiting, queue, channel)
  if redis.pcall('EXISTS', waiting) == 1 then
    local time = redis.pcall('TIME')
    local now = time[1] and time[1] * 1000 + time[2] / 1000 or 0
    redis.pcall('PUBLISH', channel, first_in_queue(queue, waiting, now) or '')
  end
end
