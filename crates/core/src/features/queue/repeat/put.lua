-- Keeps a repeat. KEYS: the queue. ARGV: the repeat, its schedule, its next slot if it has none yet, the slot that never comes, how many fire;
-- of the jobs that it adds: name, data, options, delay in ms; '' for what there is not. Answers the next slot.
local q, id, schedule, slot, never, limit = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local kept, job, fired = redis.call('ZSCORE', q .. REPEATS, id), q .. REPEAT .. id, '0'
local was = redis.call('HMGET', job, 's', 'f')
if was[1] == schedule then
  -- Put again, as at each start of a program: what is due stays due, and what has fired has fired.
  fired = was[2] or fired
  if kept and kept ~= never then
    slot = kept
  end
end
if limit ~= '' and (tonumber(fired) or 0) >= tonumber(limit) then
  slot = never
end
redis.call('DEL', job)
redis.call('HSET', job, 's', schedule, 'f', fired, 'l', limit, 'n', ARGV[6], 'd', ARGV[7], 'o', ARGV[8], 'w', ARGV[9])
redis.call('ZADD', q .. REPEATS, slot, id)
-- Workers ask once a second; what comes before that has to be told.
if slot - now_ms() < 1000 then
  say(KEYS[3], WAKE, '1')
end
return slot
