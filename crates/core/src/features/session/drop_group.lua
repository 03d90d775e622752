-- Gives a group a new epoch, which invalidates all its sessions and tokens.
-- KEYS[1] the index of its sessions
-- KEYS[2] the index of its tokens
-- KEYS[3] its epoch
-- ARGV[1] the new epoch
-- ARGV[2] the minimum ttl of the epoch in ms
-- Returns {ids of sessions, ids of tokens} from the indexes.
local now = now_ms()
local known = redis.call('GET', KEYS[3])
-- Never earlier than before, even if the clock was set back.
local dropped = math.max(now, tonumber(known and string.match(known, ' (%d+)$') or 0))
local ttl = math.max(redis.call('PTTL', KEYS[3]), tonumber(ARGV[2]))
local text = string.format('%s - %.0f', ARGV[1], dropped)
local stored = redis.pcall('SET', KEYS[3], text, 'PX', string.format('%.0f', ttl))
if type(stored) == 'table' and stored.err then
  -- The server is out of memory. A missing epoch is different from the old one too.
  redis.call('DEL', KEYS[3])
end
local from = string.format('(%.0f', now)
return {
  redis.call('ZRANGEBYSCORE', KEYS[1], from, '+inf'),
  redis.call('ZRANGEBYSCORE', KEYS[2], from, '+inf'),
}
