-- Stores a repeat.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  id of the repeat
-- ARGV[2]  schedule
-- ARGV[3]  the next slot, for a new repeat or a new schedule
-- ARGV[4]  the slot that means never
-- ARGV[5]  how many slots fire; '' for no limit
-- ARGV[6], ARGV[7], ARGV[8], ARGV[9]  of its jobs: name, data, options, delay in ms; '' for none
--
-- Returns the next slot.
local q, id, schedule, slot, never, limit = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local current, job, fired = redis.call('ZSCORE', q .. REPEATS, id), q .. REPEAT .. id, '0'
local was = redis.call('HMGET', job, 's', 'f')
if was[1] == schedule then
  -- Stored again, as at each start of a program: the next slot and the count of fired slots stay.
  fired = was[2] or fired
  if current and current ~= never then
    slot = current
  end
end
if limit ~= '' and (tonumber(fired) or 0) >= tonumber(limit) then
  slot = never
end
redis.call('DEL', job)
redis.call('HSET', job, 's', schedule, 'f', fired, 'l', limit, 'n', ARGV[6], 'd', ARGV[7], 'o', ARGV[8], 'w', ARGV[9])
redis.call('ZADD', q .. REPEATS, slot, id)
-- Workers poll once a second, so they are woken for what comes before that.
if slot - now_ms() < 1000 then
  send(KEYS[3], WAKE, '1')
end
return slot
