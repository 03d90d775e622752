-- Admits a new session of a user to the index, unless the user would then have too many.
-- KEYS[1] the index
-- KEYS[2] the epoch of the user
-- KEYS[3] the sessions that are being created
-- KEYS[4] the sessions that have to end, and may not have ended yet
-- ARGV[1] the id of the new session
-- ARGV[2] its ttl in ms
-- ARGV[3] an epoch for a user who has none
-- ARGV[4] how many sessions the user may have
-- ARGV[5] for how many ms a session may be under creation
-- ARGV[6] the sessions to keep: number, colon, id and a NUL of each. A session whose token is being rotated has two ids with one number.
-- ARGV[7] ids in the index without a session, each with a NUL behind it; removed unless their session is being created
-- ARGV[8] ids to remove in any case
-- Returns {state of the user, ids of sessions that have to end before this one is written}; or {} if the index has other ids than these; or {'', ids of sessions that are being created} if the user
-- would have too many.
local now, ttl, kept, arriving = now_ms(), tonumber(ARGV[2]), 0, {}
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', now)
local number_of, named, counted = {}, {}, {}
for number, id in string.gmatch(ARGV[6], '(%d+):([^%z]+)') do
  number_of[id] = number
end
for list = 7, 8 do
  for id in string.gmatch(ARGV[list], '[^%z]+') do
    named[id] = list
  end
end
local removed = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '+inf')) do
  local number = number_of[id]
  if number then
    kept = kept + (counted[number] and 0 or 1)
    counted[number] = true
  elseif not named[id] then
    return {}
  elseif named[id] == 7 and redis.call('ZSCORE', KEYS[3], id) then
    arriving[#arriving + 1] = id
  else
    removed[#removed + 1] = id
  end
end
if kept + #arriving >= tonumber(ARGV[4]) then
  return { '', arriving }
end
for _, id in ipairs(removed) do
  if named[id] == 8 then
    redis.call('ZADD', KEYS[4], redis.call('ZSCORE', KEYS[1], id), id)
    redis.call('PEXPIRE', KEYS[4], longer(ttl))
  end
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZREM', KEYS[3], id)
end
local state = state_of(KEYS[2], ttl, ARGV[3])
add(KEYS[1], ARGV[1], ttl)
redis.call('ZADD', KEYS[3], string.format('%.0f', now + ARGV[5]), ARGV[1])
redis.call('PEXPIRE', KEYS[3], ARGV[5])
return { state, redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', '+inf') }
