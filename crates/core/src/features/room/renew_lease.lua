-- Renews the lease of a process, or creates one. Returns 1 if it has the lease now, the time, then processes with expired
-- leases. An expired lease can be renewed until a sweep has started, which ends it permanently.
-- KEYS: the leases, the rooms of the process. ARGV: process or nothing, lease in ms, 1 for a new one, life in ms, how many; 1 where
-- leases may be found over, the latest that it can be unless the clock was set forward or '', and how much later it may be.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local has = 0
if ARGV[1] ~= '' then
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if ARGV[3] == '1' or (ends and tonumber(ends) > 0) then
    redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
    has = 1
  end
end
local over = 0
if ARGV[6] == '1' and (ARGV[7] == '' or now <= ARGV[7] + ARGV[8]) then
  over = '(' .. now
end
return { has, now, unpack(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', over, 'LIMIT', 0, ARGV[5])) }
