-- Gives a group a new epoch, and returns the entries of its indexes: {sessions, tokens}. KEYS: both indexes, the epoch. ARGV:
-- the new epoch, its minimum ttl in ms.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local known = redis.call('GET', KEYS[3])
-- Never earlier than before, even if the clock was set back.
local dropped = math.max(now, tonumber(known and string.match(known, ' (%d+)$') or 0))
local keep = math.max(redis.call('PTTL', KEYS[3]), tonumber(ARGV[2]))
local text = string.format('%s - %.0f', ARGV[1], dropped)
local kept = redis.pcall('SET', KEYS[3], text, 'PX', string.format('%.0f', keep))
if type(kept) == 'table' and kept.err then
  -- The server is out of memory. A missing epoch is different from the old one too.
  redis.call('DEL', KEYS[3])
end
local from = string.format('(%.0f', now)
return {
  redis.call('ZRANGEBYSCORE', KEYS[1], from, '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[2], from, '+inf'),
}
