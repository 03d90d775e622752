-- Records notes of workers about their jobs. KEYS: the queue. ARGV: how many log lines are kept; then for each note id, token,
-- 'progress', 'log' or 'begun', and the value, the line, or how many ms ago. Returns how many notes had a valid token.
local q, noted = KEYS[1], 0
local ids, mine = held(q, ARGV, 2, 4)
for i, id in ipairs(ids) do
  if mine[i] then
    local what, value = ARGV[2 + (i - 1) * 4 + 2], ARGV[2 + (i - 1) * 4 + 3]
    if what == 'begun' then
      local lease = lease_of(mine[i])
      if lease.started == '' then
        begin(q)
        lease.started = string.format('%.0f', now_ms() - value)
        redis.call('HSET', q .. LEASES, id, record_of(lease))
        tell('active', id, lease.attempt, '')
      end
    elseif what == 'log' then
      redis.call('RPUSH', q .. LOG .. id, value)
      redis.call('LTRIM', q .. LOG .. id, -ARGV[1], -1)
    else
      redis.call('HSET', q .. JOB .. id, 'P', value)
      tell('progress', id, 0, value)
    end
    noted = noted + 1
  end
end
publish(q)
return noted
