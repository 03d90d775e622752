-- Whether some worker or other has looked at the clock so often, for half a lease, that it cannot have been set forward: workers may
-- come and go faster than one of them can tell. Noted only while there are leases.
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
