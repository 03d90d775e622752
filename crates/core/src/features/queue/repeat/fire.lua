-- Adds the job of a slot and sets the next slot, unless another process has done so.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  id of the repeat
-- ARGV[2]  the slot that was found due; nothing is done if it is no longer the next one
-- ARGV[3]  the slot that fires
-- ARGV[4]  the slot after that
-- ARGV[5]  the slot that means never
--
-- Returns nil if another process was faster; a code of what was published if the job was added; or the id of the existing job.
local q, id, found, slot, after, never = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('ZSCORE', q .. REPEATS, id) ~= found then
  return false
end
local job = q .. REPEAT .. id
local stored = redis.call('HMGET', job, 'n', 'd', 'o', 'w', 'f', 'l')
if not stored[1] then
  -- A slot without a repeat: another program deleted the hash only.
  redis.call('ZREM', q .. REPEATS, id)
  return false
end
local added = add(q, KEYS[3], id .. ':' .. slot, stored[1], stored[2], stored[3], stored[4], '1', true)
local fired = (tonumber(stored[5] or 0) or 0) + 1
if fired >= (tonumber(stored[6] or '') or math.huge) then
  after = never
end
redis.call('HSET', job, 'f', fired)
redis.call('ZADD', q .. REPEATS, after, id)
return added
