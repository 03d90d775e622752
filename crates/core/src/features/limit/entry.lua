-- Opens and saves what is stored about an identifier under a policy:
-- `time of writing;end of a block;override;generation;hits;their end;state`. Times are in µs, 0 for none. The override is empty or
-- `its end:its limit`. The generation is the time since when hits are counted; the state is that of the algorithm. If the policy has
-- another algorithm by now, the hits count as if they came now.
-- If the clock has gone back, as after a fail-over to another server, all times are moved back with it.

-- Returns the entry, or nil if the bounds of the calendar do not include the store's time.
local function open_entry(key, now, policy)
  local entry = { blocked = 0, override_ends = 0, override_limit = -1, generation = now, back = 0, policy = policy }
  local written, blocked, override, generation, hits, ends, rest =
    string.match(whole_of(redis.call('GET', key) or '', now), '^(%d+);(%d+);([%d:]*);(%d+);(%d+);(%d+);(.*)$')
  local back = written and math.max(tonumber(written) - now, 0) or 0
  if written then
    entry.back, entry.blocked = back, tonumber(blocked) - back
    if entry.blocked <= now then
      entry.blocked = 0
    end
    local over, limit = string.match(override, '^(%d+):(%d+)$')
    over = tonumber(over or -1)
    if over == 0 or over - back > now then
      entry.override_ends = over == 0 and 0 or over - back
      entry.override_limit = tonumber(limit)
      set_limit(policy, entry.override_limit)
    end
  end
  local known
  entry.state, known = policy.algorithm.open(rest or '', now, policy, back)
  if entry.state and not known and hits and tonumber(ends) - back > now then
    policy.algorithm.add(entry.state, now, policy, tonumber(hits))
  elseif entry.state and written and policy.algorithm.used(entry.state, policy) > 0 then
    entry.generation = tonumber(generation)
  end
  return entry.state and entry
end

-- Without a state, nothing is left of the hits.
local function save_entry(key, now, entry)
  local rest, ends, hits = '', now, 0
  if entry.state then
    rest, ends = entry.policy.algorithm.save(entry.state, now, entry.policy)
    hits = entry.policy.algorithm.used(entry.state, entry.policy)
  end
  local override = ''
  if entry.override_limit >= 0 then
    override = string.format('%.0f:%.0f', entry.override_ends, entry.override_limit)
  end
  local text = string.format('%.0f;%.0f;%s;%.0f;%.0f;%.0f;', now, entry.blocked, override, entry.generation, hits, ends) .. rest
  -- After an override, what was counted may last longer than it would with it.
  local after = entry.override_ends > 0 and hits > 0 and entry.override_ends + (tonumber(entry.policy.length) or 0) or 0
  ends = math.max(ends, entry.blocked, entry.override_ends, after)
  if override ~= '' and entry.override_ends == 0 then
    redis.call('SET', key, text)
  elseif ends > now then
    -- One more, because the store counts from the last whole millisecond.
    redis.call('SET', key, text, 'PX', string.format('%.0f', math.ceil((ends - now) / 1000) + 1))
  else
    redis.call('DEL', key)
  end
end
