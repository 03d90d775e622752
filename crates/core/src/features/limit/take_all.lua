-- Charges hits under several policies, if all of them allow it; otherwise nothing is changed. A shadow policy is charged if it allows its
-- own hits, and refuses nothing.
-- KEYS the entries
-- ARGV 6 of each entry: the algorithm, the limit, the period or bounds, the burst or slices (see take.lua), the number of hits, 1 for a
--   shadow
-- Returns for each entry what take.lua returns, or {-1, ms since 1970}.
local now, entries, waits, all = now_us(), {}, {}, true
for index, key in ipairs(KEYS) do
  local from = (index - 1) * 6 + 1
  local entry = open_entry(key, now, policy_of(ARGV, from))
  if not entry then
    return { -1, math.floor(now / 1000) }
  end
  entry.cost = tonumber(ARGV[from + 4])
  local wait = wait_of(entry, now, entry.cost)
  -- Tables cannot hold nil.
  entries[index], waits[index] = entry, wait or -1
  all = all and (wait == 0 or ARGV[from + 5] == '1')
end
local views = {}
for index, entry in ipairs(entries) do
  local wait, mark = waits[index], nil
  if all and wait == 0 and entry.cost > 0 then
    mark = entry.policy.algorithm.add(entry.state, now, entry.policy, entry.cost)
    save_entry(KEYS[index], now, entry)
  end
  local view = view_of(entry, now, wait == 0, wait >= 0 and wait or nil)
  view[7] = mark and mark_of(entry, now, view, mark) or ''
  views[index] = view
end
return views
