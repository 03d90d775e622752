-- A lock that readers hold has READERS in the place of a token, which cannot be the token of a writer: those of readers begin like this. The
-- readers are a sorted set of tokens, by when their leases end.
local READERS = 'read:shared'

local function is_reader(token)
  return string.sub(token, 1, 5) == 'read:'
end

-- Whether `holder` shows that readers have the lock, and the caller with this token is one of them.
local function has_joined(holder, readers, token, now)
  if holder ~= READERS then
    return false
  end
  local ends = tonumber(redis.call('ZSCORE', readers, token))
  return ends and ends > now
end

-- Lets the lock last for as long as the longest lease. Returns 0 if there is no lease any more: the lock is free then.
local function last_as_leases(lock, readers, now)
  redis.call('ZREMRANGEBYSCORE', readers, '-inf', now)
  local last = redis.call('ZRANGE', readers, -1, -1, 'WITHSCORES')[2]
  if not last then
    redis.call('DEL', lock)
    return 0
  end
  redis.call('SET', lock, READERS, 'PX', last - now)
  redis.call('PEXPIRE', readers, last - now)
  return 1
end
