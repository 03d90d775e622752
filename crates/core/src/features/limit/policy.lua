-- A policy, and what it says about an entry.
local algorithms = { bucket = bucket, fixed = fixed, sliding = sliding, calendar = calendar }

-- Sets how many hits a policy allows. The burst of a bucket changes with that. A strict bucket drains so much slower that a period has no
-- more hits than the limit.
local function set_limit(policy, limit)
  if policy.algorithm == bucket then
    local burst = policy.allows > 0 and math.floor(policy.burst * limit / policy.allows) or limit
    burst = limit == 0 and 0 or math.max(policy.strict and math.min(burst, limit) or burst, 1)
    policy.burst, policy.limit = burst, policy.strict and limit > 0 and limit - burst + 1 or limit
  else
    policy.limit = limit
  end
  policy.allows = limit
end

-- A policy is `algorithm, limit, period in µs or bounds, extra`, from this argument on. The extra is the burst of a bucket, negative if it
-- is strict, the number of slices, or the kind of period.
local function policy_of(args, from)
  local length, extra = args[from + 2], tonumber(args[from + 3])
  local policy = {
    algorithm = algorithms[args[from]],
    allows = tonumber(args[from + 1]),
    period = tonumber(length),
    length = length,
    bounds = length,
    burst = math.abs(extra),
    strict = extra < 0,
    slices = extra,
    unit = extra,
  }
  set_limit(policy, policy.allows)
  return policy
end

-- The same for a policy as one text, `algorithm limit period extra`.
local function policy_in(text)
  return policy_of({ string.match(text, '^(%S*) (%S*) (%S*) (%S*)$') }, 1)
end
