-- Keeps the lease of a process, or takes it for a new one; answers 1 where it has it now, then others whose lease is over.
-- A lease that is over is never kept: its process may have been swept out of some rooms already.
-- KEYS: the leases, the rooms of the process. ARGV: process or nothing, lease in ms, 1 for a new one, life in ms, how many.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local has = 0
if ARGV[1] ~= '' then
  local ends = redis.call('ZSCORE', KEYS[1], ARGV[1])
  if ARGV[3] == '1' or (ends and tonumber(ends) >= now) then
    redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    redis.call('PEXPIRE', KEYS[2], ARGV[4])
    has = 1
  end
end
return { has, unpack(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. now, 'LIMIT', 0, ARGV[5])) }
