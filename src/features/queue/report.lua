-- Notes what workers tell of their jobs. KEYS: the queue. ARGV: how many lines of a log are kept; then of each note id, token,
-- 'progress' or 'log', and the value or line. Answers how many were of leases with these tokens.
local q, noted = KEYS[1], 0
local ids, mine = held(q, ARGV, 2, 4)
for i, id in ipairs(ids) do
  if mine[i] then
    local value = ARGV[2 + (i - 1) * 4 + 3]
    if ARGV[2 + (i - 1) * 4 + 2] == 'log' then
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
