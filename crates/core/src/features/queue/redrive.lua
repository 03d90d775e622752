-- Has dead jobs start anew, the oldest first, at most 100 in a run. KEYS: the queue. ARGV: how many at most; how many to pass
-- over, which an earlier run could not revive; the time up to which they died, '' for now.
-- Answers how many were revived, how many more could not be, 1 when there may be others, and that time.
local q, most, skip = KEYS[1], math.min(ARGV[1] + 0, 100), ARGV[2] + 0
local cut = ARGV[3] == '' and now_ms() or ARGV[3] + 0
local dead = redis.call('ZRANGEBYSCORE', q .. DEAD, '-inf', cut * 2048 + 2047, 'WITHSCORES', 'LIMIT', skip, most)
local revived, left = 0, 0
for i = 1, #dead, 2 do
  if revive(q, dead[i], dead[i + 1]) then
    revived = revived + 1
  elseif redis.call('ZSCORE', q .. DEAD, dead[i]) then
    left = left + 1
  end
end
publish(q)
return { revived, left, #dead == 2 * most and 1 or 0, cut }
