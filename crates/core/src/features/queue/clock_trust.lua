-- Returns whether the workers have together read the clock often enough, for half a lease, to rule out that it was set forward. A
-- single worker may not live long enough to know. Recorded only while there are leases.
local function is_clock_trusted(q, now, lease, tolerance)
  if redis.call('EXISTS', q .. LEASED) == 0 then
    return false
  end
  local seen = redis.call('HMGET', q .. META, 'looked', 'since')
  local last_read, since = tonumber(seen[1] or ''), tonumber(seen[2] or '')
  begin_writing(q)
  if last_read and since and last_read <= now and now - last_read <= tolerance then
    redis.call('HSET', q .. META, 'looked', now)
    return now - since >= lease / 2
  end
  redis.call('HSET', q .. META, 'looked', now, 'since', now)
  return false
end
