-- Replaces the number of hits of a charge, once: fewer are refunded as far as they still count, more are charged in any case.
-- KEYS[1] the identifier's entry
-- KEYS[2] what marks the charge as settled
-- ARGV[1] to ARGV[4] the policy, as in take.lua
-- ARGV[5] the hits of the charge
-- ARGV[6] the hits to replace them
-- ARGV[7] the mark of the charge
-- ARGV[8] 1 if it can be settled again, which has to be noticed
-- ARGV[9] the channel of what may be allowed again
-- Returns 1, or 0 if the charge was settled before, is too old or does not count any more, or {-1, ms since 1970} if the bounds of the
-- calendar do not include the store's time.
local now, charged, actual = now_us(), tonumber(ARGV[5]), tonumber(ARGV[6])
local policy = policy_of(ARGV, 1)
local generation, ends, mark = string.match(ARGV[7], '^(%d+)/(%d+)/(.*)$')
ends = tonumber(ends or 0)
if ends <= now then
  return 0
end
local entry = open_entry(KEYS[1], now, policy)
if not entry then
  return { -1, math.floor(now / 1000) }
end
if actual > charged then
  policy.algorithm.add(entry.state, now, policy, actual - charged)
elseif tonumber(generation) == entry.generation then
  policy.algorithm.refund(entry.state, now, policy, charged - actual, mark)
else
  return 0
end
-- Noticed for as long as it could be settled again. The mark may come from elsewhere, so the time is one that the store can take.
local ms = string.format('%.0f', math.min(math.ceil((ends - now) / 1000) + 1, 315360000000))
if ARGV[8] == '1' and not redis.call('SET', KEYS[2], '1', 'PX', ms, 'NX') then
  return 0
end
save_entry(KEYS[1], now, entry)
if actual < charged then
  redis.pcall('PUBLISH', ARGV[9], KEYS[1])
end
return 1
