-- Changes an entry in another way than by a hit.
-- KEYS[1] the identifier's entry
-- ARGV[1] to ARGV[4] the policy, as in take.lua
-- ARGV[5] block, block_afresh (which also forgets the hits), unblock, reset, override or restore
-- ARGV[6] the length of the block or override in µs, 0 for no end
-- ARGV[7] the limit of the override
-- ARGV[8] the channel of what may be allowed again
-- Returns 1 if there was something to change, 0 if not, or {-1, ms since 1970} if the bounds of the calendar do not include the store's
-- time.
local now, what, length = now_us(), ARGV[5], tonumber(ARGV[6])
local policy = policy_of(ARGV, 1)
local entry = open_entry(KEYS[1], now, policy)
if not entry then
  return { -1, math.floor(now / 1000) }
end
local changed = 1
if what == 'block' or what == 'block_afresh' then
  -- A block does not shorten a longer one.
  entry.blocked = math.max(entry.blocked, now + length)
  if what == 'block_afresh' then
    entry.state = nil
  end
elseif what == 'unblock' then
  changed = entry.blocked > 0 and 1 or 0
  entry.blocked = 0
elseif what == 'reset' then
  changed = (entry.blocked > 0 or policy.algorithm.save(entry.state, now, policy) ~= '') and 1 or 0
  entry.blocked, entry.state = 0, nil
elseif what == 'override' then
  entry.override_ends = length > 0 and now + length or 0
  entry.override_limit = tonumber(ARGV[7])
else
  changed = entry.override_limit >= 0 and 1 or 0
  entry.override_limit, entry.override_ends = -1, 0
end
if changed == 1 then
  save_entry(KEYS[1], now, entry)
  if what ~= 'block' then
    redis.pcall('PUBLISH', ARGV[8], KEYS[1])
  end
end
return changed
