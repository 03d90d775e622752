-- Charges hits to an identifier under a policy, if the policy allows them. A refused call changes nothing.
-- KEYS[1] the identifier's entry
-- ARGV[1] the policy: `algorithm limit period extra`. The algorithm is bucket, fixed, sliding or calendar; the period is in µs, or
-- beginnings of a calendar's periods in ms; the extra is the burst of a bucket, negative if it is strict, the number of slices of a
-- sliding window, or the kind of period of a calendar
-- ARGV[2] take; reserve, which returns a mark for a refund; peek, which charges nothing; drain, which charges at most what is left;
-- share, which charges up to an eighth of what is left, and returns a mark
-- ARGV[3] the number of hits
-- ARGV[4] how long the caller waits for its turn, in µs: a bucket then charges hits in advance; for a share, the fewest hits
-- Returns {1 or 0, hits left, µs to wait or -1 for ever, µs until all are left, µs since 1970, the limit if it is overridden or -1,
-- mark, of a share with its hits before it}, or {-1, ms since 1970} if the bounds of the calendar do not include the store's time.
local how, cost = ARGV[2], tonumber(ARGV[3])
local plain = how == 'take' and cost > 0 and bucket_in(ARGV[1])
local view = plain and cost <= plain.burst and take_plain(KEYS[1], plain, cost)
if view then
  return view
end
local now, policy = now_us(), policy_in(ARGV[1])
local entry = open_entry(KEYS[1], now, policy)
if not entry then
  return { -1, math.floor(now / 1000) }
end
local algorithm, ahead = policy.algorithm, tonumber(ARGV[4])
if how == 'share' then
  -- The closer to the limit, the smaller, so that others get hits too and few are given back.
  cost, ahead = math.min(cost, math.max(math.floor(algorithm.left(entry.state, now, policy) / 8), ahead)), 0
end
local wait = wait_of(entry, now, cost)
local allowed = wait and wait <= ahead
if how == 'drain' then
  cost = math.min(cost, math.max(algorithm.left(entry.state, now, policy), 0))
end
local mark
if cost > 0 and (how == 'drain' or how ~= 'peek' and allowed) then
  mark = algorithm.add(entry.state, now, policy, cost)
  save_entry(KEYS[1], now, entry)
elseif entry.back > 0 and how ~= 'peek' then
  -- The clock has gone back. Moved times must be stored, or each refusal would move them again.
  save_entry(KEYS[1], now, entry)
end
view = view_of(entry, now, allowed, wait)
if how == 'reserve' then
  view[7] = mark and mark_of(entry, now, view, mark) or ''
elseif how == 'share' then
  view[7] = mark and string.format('%.0f ', cost) .. mark_of(entry, now, view, mark) or ''
end
return view
