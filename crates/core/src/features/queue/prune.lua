-- Restores lost expiry times of leases: a server that evicts keys may have evicted only those. Leases that are not renewed expire
-- one lease from now.
local function restore_expiries(q, now, lease)
  if redis.call('HLEN', q .. LEASES) > redis.call('ZCARD', q .. LEASED) then
    local again = {}
    for _, id in ipairs(redis.call('HKEYS', q .. LEASES)) do
      if #again < 200 and not redis.call('ZSCORE', q .. LEASED, id) then
        push(again, now + lease, id)
      end
    end
    if #again > 0 then
      begin_writing(q)
      redis.call('ZADD', q .. LEASED, unpack(again))
    end
  end
end

-- Runs if nothing was taken: deletes finished jobs after their retention, and resets the job number if the queue is empty.
local function prune(q, now, dead, done, lease)
  restore_expiries(q, now, lease)
  if redis.call('EXISTS', q .. LEASED) == 0 then
    redis.call('HDEL', q .. META, 'looked', 'since')
  end
  trim(q, DEAD, now, dead, 0)
  trim(q, DONE, now, done, 0)
  if redis.call('EXISTS', q .. READY, q .. DELAYED, q .. LEASED, q .. PARKED, q .. SUSPECTS) == 0 then
    redis.call('HDEL', q .. META, 'seq', 'alone', 'lone', 'way', 'seen', 'kept', 'behind')
    redis.call('UNLINK', q .. WAITERS)
  end
end
