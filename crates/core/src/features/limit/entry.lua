-- Opens and saves what is stored about an identifier under a policy: `time of writing;end of a block;override;state`. Times are in µs, 0
-- for none. The override is empty or `its end:hits that it allows:limit:burst`. The rest is the state of the algorithm.
-- If the clock has gone back, as after a fail-over to another server, all times are moved back with it.

-- Returns the entry, or nil if the bounds of the calendar do not include the store's time.
local function open_entry(key, now, policy)
  local entry = { blocked = 0, override = '', override_ends = 0, override_limit = -1, policy = policy }
  local text = redis.call('GET', key)
  local written, blocked, override, rest
  if text then
    written, blocked, override, rest = string.match(text, '^(%d+);(%d+);([%d:]*);(.*)$')
  end
  local back = written and math.max(tonumber(written) - now, 0) or 0
  if written then
    blocked = tonumber(blocked) - back
    entry.blocked = blocked > now and blocked or 0
    local ends, hits, limit, burst = string.match(override, '^(%d+):(%d+):(%d+):(%d+)$')
    ends = tonumber(ends or -1)
    if ends == 0 or ends - back > now then
      entry.override_ends = ends == 0 and 0 or ends - back
      entry.override = string.format('%.0f:', entry.override_ends) .. table.concat({ hits, limit, burst }, ':')
      entry.override_limit, policy.limit, policy.burst = tonumber(hits), tonumber(limit), tonumber(burst)
    end
  end
  entry.state = policy.algorithm.open(rest or '', now, policy, back)
  return entry.state and entry
end

-- Without a state, nothing is left of the hits.
local function save_entry(key, now, entry)
  local rest, ends = '', now
  if entry.state then
    rest, ends = entry.policy.algorithm.save(entry.state, now, entry.policy)
  end
  ends = math.max(ends, entry.blocked, entry.override_ends)
  local text = string.format('%.0f;%.0f;', now, entry.blocked) .. entry.override .. ';' .. rest
  if entry.override ~= '' and entry.override_ends == 0 then
    redis.call('SET', key, text)
  elseif ends > now then
    redis.call('SET', key, text, 'PX', string.format('%.0f', math.ceil((ends - now) / 1000)))
  else
    redis.call('DEL', key)
  end
end
