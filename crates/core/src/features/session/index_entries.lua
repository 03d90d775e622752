-- A little more than the ttl that is needed, so that the next call rarely has to extend it.
local function longer(ttl)
  return string.format('%.0f', math.floor(ttl * 1.125))
end

-- Returns the state of a group, with this epoch if it has none, and keeps it for the ttl.
local function state_of(key, ttl, epoch)
  local state = redis.call('GET', key)
  if not state then
    state = epoch .. ' - 0'
    redis.call('SET', key, state, 'PX', longer(ttl))
  elseif redis.call('PTTL', key) < ttl then
    redis.call('PEXPIRE', key, longer(ttl))
  end
  return state
end

-- Adds an id to an index until its latest expiry, and removes expired entries.
local function add(index, id, ttl)
  local now = now_ms()
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  -- Never earlier than before: another writer may have given the session a longer ttl.
  redis.call('ZADD', index, 'GT', string.format('%.0f', now + ttl), id)
  if redis.call('PTTL', index) < ttl then
    redis.call('PEXPIRE', index, longer(ttl))
  end
end
