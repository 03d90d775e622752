-- How finely a bucket is measured.

-- Sets the µs of a tick, and the period in ticks. They are so long that debts of a thousand bursts stay below 2^53.
function bucket.measure(policy)
  local length, unit = policy.period, 1
  while policy.burst * policy.period > 8796093022208 and unit < length do
    unit = unit * 10
    policy.period = math.ceil(length / unit)
  end
  policy.unit = unit
end

-- Buckets by their texts, so that a run reads each once; false for other policies, and for one that allows nothing.
local buckets = {}
local function bucket_in(text)
  local policy = buckets[text]
  if policy == nil then
    policy = policy_in(text)
    if policy.algorithm == bucket and policy.limit > 0 then
      bucket.measure(policy)
      policy.shape = string.format('%.0f:%.0f:%.0f:%.0f', policy.period, policy.unit, policy.burst, policy.limit)
    else
      policy = false
    end
    buckets[text] = policy
  end
  return policy
end
