-- Writes a session that ends at some time even if it is in use.
-- KEYS[1] the session
-- ARGV[1] the value, with the time of its end before the four characters of its kind
-- ARGV[2] the ttl in ms
-- ARGV[3] after how many ms it ends, for a new session; ''
-- ARGV[4] the time in ms at which it ends, for one that has such a time; ''
-- ARGV[5] NX to write it only if there is no value; ''
-- ARGV[6] the ending of an invalid value that may be overwritten nevertheless, or ''
-- Returns OK, or nil if nothing was written.
if ARGV[5] == 'NX' then
  local current = redis.call('GET', KEYS[1])
  if current and (ARGV[6] == '' or string.sub(current, -#ARGV[6]) ~= ARGV[6]) then
    return false
  end
end
local value, until_ms = ARGV[1], tonumber(ARGV[4])
if not until_ms then
  until_ms = now_ms() + ARGV[3]
  -- Eight bytes, of which each white space character has two bits.
  local rest, blanks = until_ms, {}
  for at = 32, 1, -1 do
    local bits = rest % 4
    blanks[at] = string.sub(' \t\n\r', bits + 1, bits + 1)
    rest = (rest - bits) / 4
  end
  value = string.sub(value, 1, -37) .. table.concat(blanks) .. string.sub(value, -4)
end
local ttl = math.min(tonumber(ARGV[2]), until_ms - now_ms())
if ttl < 1 then
  return false
end
return redis.call('SET', KEYS[1], value, 'PX', string.format('%.0f', ttl))
