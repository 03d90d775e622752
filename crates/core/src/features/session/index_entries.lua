-- A bit more than necessary, so that the next call rarely has to extend it.
local function longer(life)
  return string.format('%.0f', math.floor(life * 1.125))
end

-- Lists an id in an index until its latest expiry, and removes expired entries.
local function list(index, id, life)
  redis.call('ZREMRANGEBYSCORE', index, '-inf', now)
  -- Never sooner than before: the session may still have a longer life that another writer gave it.
  redis.call('ZADD', index, 'GT', string.format('%.0f', now + life), id)
  if redis.call('PTTL', index) < life then
    redis.call('PEXPIRE', index, longer(life))
  end
end
