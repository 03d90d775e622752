-- Reads a session and renews its life. KEYS: the session, its own life and tags.
-- ARGV: life in ms where it has none of its own, how much longer its own life and tags are kept.
-- Answers {JSON}, or {JSON, own life and tags, life} when it was renewed: then the indexes must follow.
local value = redis.call('GET', KEYS[1])
if not value then
  return false
end
local own = redis.call('GET', KEYS[2])
local life = tonumber(own and string.match(own, '^%d+') or ARGV[1])
-- Renewing a life that has hardly begun buys nothing. One that was extended beyond its own is not cut short.
if redis.call('PTTL', KEYS[1]) > life - math.min(life / 100, 10000) then
  return {value}
end
redis.call('PEXPIRE', KEYS[1], life)
redis.call('PEXPIRE', KEYS[2], life + ARGV[2])
return {value, own, life}
