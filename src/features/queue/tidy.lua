-- A server that drops keys may have dropped when the leases end, and nothing else: those that nobody renews end one from now.
local function mend_leases(q, now, lease)
  if redis.call('HLEN', q .. LEASES) > redis.call('ZCARD', q .. LEASED) then
    local again = {}
    for _, id in ipairs(redis.call('HKEYS', q .. LEASES)) do
      if #again < 200 and not redis.call('ZSCORE', q .. LEASED, id) then
        push(again, now + lease, id)
      end
    end
    if #again > 0 then
      begin(q)
      redis.call('ZADD', q .. LEASED, unpack(again))
    end
  end
end

-- Where nothing was taken: drops what has been kept for long enough, and forgets the last number when nobody has one.
local function tidy(q, now, dead, done, lease)
  mend_leases(q, now, lease)
  if redis.call('EXISTS', q .. LEASED) == 0 then
    redis.call('HDEL', q .. META, 'looked', 'since')
  end
  trim(q, DEAD, now, dead, 0)
  trim(q, DONE, now, done, 0)
  if redis.call('EXISTS', q .. READY, q .. DELAYED, q .. LEASED, q .. PARKED, q .. SUSPECTS) == 0 then
    redis.call('HDEL', q .. META, 'seq', 'alone')
    redis.call('UNLINK', q .. WAITED)
  end
end
