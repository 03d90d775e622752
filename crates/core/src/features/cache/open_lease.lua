-- Opens the lease of a key for a load, or joins the one there is. A lease is a mark, how many loads have asked for it, and the
-- number of the last one among them that has stored its value. KEYS: the lease. ARGV: a new mark, the ttl in ms that is needed.
-- Returns the mark and the number of this load.
local mark, asked, stored = string.match(redis.call('GET', KEYS[1]) or '', '^(%x+):(%d+):(%d+)$')
if not mark then
  mark, asked, stored = ARGV[1], '0', '0'
end
local number = string.format('%d', tonumber(asked) + 1)
local left = redis.call('PTTL', KEYS[1])
local ttl = left > (tonumber(ARGV[2]) or 0) and string.format('%d', left) or ARGV[2]
redis.call('SET', KEYS[1], mark .. ':' .. number .. ':' .. stored, 'PX', ttl)
return mark .. ':' .. number
