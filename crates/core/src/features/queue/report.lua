-- Stores the notes of workers about their jobs.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  how many log lines a job retains
-- ARGV[2…]  for each note: id, token, kind, value. By kind the value is: 'progress', the progress; 'log', a line; 'begun', how many
--           ms ago the job started
--
-- Returns how many notes had a valid token.
local q, noted = KEYS[1], 0
local ids, owned = owned_leases(q, ARGV, 2, 4)
for i, id in ipairs(ids) do
  if owned[i] then
    local what, value = ARGV[2 + (i - 1) * 4 + 2], ARGV[2 + (i - 1) * 4 + 3]
    if what == 'begun' then
      local lease = lease_of(owned[i])
      if lease.started == '' then
        begin_writing(q)
        lease.started = string.format('%.0f', now_ms() - value)
        redis.call('HSET', q .. LEASES, id, record_of(lease))
        emit('active', id, lease.attempt, '')
      end
    elseif what == 'log' then
      redis.call('RPUSH', q .. LOG .. id, value)
      redis.call('LTRIM', q .. LOG .. id, -ARGV[1], -1)
    else
      redis.call('HSET', q .. JOB .. id, 'P', value)
      emit('progress', id, 0, value)
    end
    noted = noted + 1
  end
end
publish(q)
return noted
