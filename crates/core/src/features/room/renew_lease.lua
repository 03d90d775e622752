-- Renews the lease of a process, or creates one, and looks for expired leases of others. An expired lease can be renewed until a
-- sweep has started, which ends it permanently.
-- KEYS[1] the leases
-- KEYS[2] the rooms of the process
-- ARGV[1] the process, or '' to renew none
-- ARGV[2] the length of the lease in ms
-- ARGV[3] 1 to create the lease
-- ARGV[4] the ttl of the keys in ms
-- ARGV[5] how many expired leases to return
-- ARGV[6] 1 if expired leases may be taken over
-- ARGV[7] the latest time that the clock can show unless it was set forward, in ms since 1970, or ''
-- ARGV[8] the tolerance for that in ms
-- Returns 1 if the process has its lease now, otherwise 0; the time in ms since 1970; then processes whose leases have expired.
local now = now_ms()
local has = 0
if ARGV[1] ~= '' then
  local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if ARGV[3] == '1' or (expires and tonumber(expires) > 0) then
    redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
    has = 1
  end
end
-- Leases that were ended permanently have score 0.
local latest = 0
if ARGV[6] == '1' and (ARGV[7] == '' or now <= ARGV[7] + ARGV[8]) then
  latest = '(' .. now
end
return { has, now, unpack(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', latest, 'LIMIT', 0, ARGV[5])) }
