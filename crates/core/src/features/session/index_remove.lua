-- Removes a session that has ended from an index. An entry that expires later belongs to a newer session with the same id, and
-- stays.
-- KEYS[1] the index
-- ARGV[1] the id of the session
-- ARGV[2] the ttl in ms that it had left
-- Returns how many entries were removed, 0 or 1.
local expires = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not expires or tonumber(expires) > now_ms() + ARGV[2] then
  return 0
end
return redis.call('ZREM', KEYS[1], ARGV[1])
