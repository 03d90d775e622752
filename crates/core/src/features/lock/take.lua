-- Gives a free lock to a token, or finds that the token has it already, since the reply of an earlier attempt may have been lost. Returns the
-- fencing token; 0 if another token has the lock, or readers have it.
local function take(lock, fence, token, ttl, fence_ttl)
  local holder = redis.call('GET', lock)
  if holder and holder ~= token then
    return 0
  end
  local number = next_fence(fence, holder, fence_ttl)
  redis.call('SET', lock, token, 'PX', ttl)
  return number
end
