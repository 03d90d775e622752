-- ARGV: id, its schedule, the next slot if it has none yet, the slot that never comes, its limit or '', then fields and values.
local id, schedule, slot, never, limit = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local count = 0
if redis.call('HGET', KEYS[2], 'schedule') == schedule then
  -- Put again, as every start of a program does: what is due stays due, and what has fired has fired.
  count = tonumber(redis.call('HGET', KEYS[2], 'count') or 0)
  local kept = redis.call('ZSCORE', KEYS[1], id)
  if kept and kept ~= never then
    slot = kept
  end
end
if limit ~= '' and count >= tonumber(limit) then
  slot = never
end
redis.call('DEL', KEYS[2])
redis.call('HSET', KEYS[2], 'schedule', schedule, 'count', count, 'limit', limit, unpack(ARGV, 6))
redis.call('ZADD', KEYS[1], slot, id)
return slot
