-- The slots of a concurrency limit expire with the lease that ends last.
local function expire_with_last(key, now)
  local last = redis.call('ZRANGE', key, -1, -1, 'WITHSCORES')
  if last[2] then
    redis.call('PEXPIRE', key, math.max(last[2] - now, 1))
  end
end
