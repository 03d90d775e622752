-- Renews the ttl of a session that ends at some time even if it is in use.
-- KEYS[1] the session
-- ARGV[1] the ttl in ms
-- ARGV[2] the time in ms at which it ends
-- Returns 1, or 0 if it is missing.
local ttl = math.min(tonumber(ARGV[1]), ARGV[2] - now_ms())
return redis.call('PEXPIRE', KEYS[1], string.format('%.0f', ttl))
