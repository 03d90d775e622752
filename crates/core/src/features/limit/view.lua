-- What an entry says to a caller.

-- Returns the time in µs until so many hits may be charged; nil if that never happens.
local function wait_of(entry, now, cost)
  local wait = entry.policy.algorithm.wait(entry.state, now, entry.policy, cost)
  if entry.override_ends > 0 then
    -- Then it may have another limit.
    wait = math.min(wait or math.huge, entry.override_ends - now)
  end
  return wait and math.max(wait, entry.blocked - now, 0)
end

-- Returns the time in µs after which nothing is left of the entry, except an override.
local function ends_of(entry, now)
  local _, ends = entry.policy.algorithm.save(entry.state, now, entry.policy)
  return math.max(ends, entry.blocked, now)
end

-- Returns {1 or 0, hits left, µs to wait or -1 for ever, µs until all are left, µs since 1970, the limit if it is overridden or -1}.
local function view_of(entry, now, allowed, wait)
  local left = entry.blocked > 0 and 0 or math.max(entry.policy.algorithm.left(entry.state, now, entry.policy), 0)
  return { allowed and 1 or 0, left, wait or -1, ends_of(entry, now) - now, now, entry.override_limit }
end

-- Returns what a refund needs to find a charge again, and when it can be settled no more: a charge that counts no more can be settled for
-- ten minutes all the same, because what was charged for may take longer than it counts.
local function mark_of(entry, now, view, mark)
  return string.format('%.0f/%.0f/', entry.generation, now + math.max(view[4], 600000000)) .. mark
end
