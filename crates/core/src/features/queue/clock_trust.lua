-- Whether workers have together read the clock often enough, for half a lease, to rule out that it was set forward. A single
-- worker may not live long enough to tell. Recorded only while there are leases.
local function is_watched(q, now, lease, tolerance)
  if redis.call('EXISTS', q .. LEASED) == 0 then
    return false
  end
  local seen = redis.call('HMGET', q .. META, 'looked', 'since')
  local looked, since = tonumber(seen[1] or ''), tonumber(seen[2] or '')
  begin(q)
  if looked and since and looked <= now and now - looked <= tolerance then
    redis.call('HSET', q .. META, 'looked', now)
    return now - since >= lease / 2
  end
  redis.call('HSET', q .. META, 'looked', now, 'since', now)
  return false
end
