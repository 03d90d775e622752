-- Adds the job of a slot, if the repeat still waits for the slot that was found, and has it wait for the next one. KEYS: the queue. ARGV: the
-- repeat, the slot that was found, the slot that fires, the next one, the slot that never comes.
-- Answers nil when somebody was faster; 1 when the job was added, or the id of the one there is.
local q, id, found, slot, after, never = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
if redis.call('ZSCORE', q .. REPEATS, id) ~= found then
  return false
end
local job = q .. REPEAT .. id
local kept = redis.call('HMGET', job, 'n', 'd', 'o', 'w', 'f', 'l')
if not kept[1] then
  -- A slot of nothing: whoever deleted the hash forgot it.
  redis.call('ZREM', q .. REPEATS, id)
  return false
end
local added = add(q, KEYS[3], id .. ':' .. slot, kept[1], kept[2], kept[3], kept[4], '1', true)
local fired = (tonumber(kept[5] or 0) or 0) + 1
if fired >= (tonumber(kept[6] or '') or math.huge) then
  after = never
end
redis.call('HSET', job, 'f', fired)
redis.call('ZADD', q .. REPEATS, after, id)
return added
