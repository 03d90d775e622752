'use strict'

// Times are microseconds of the server's clock. A tag's state is `expired stale due`: entries made until `expired` are no longer valid,
// those made until `stale` are to be replaced, and are no longer valid from `due` on, unless that is 0. `since` is the time from which
// on invalidations are known: if states are lost, or were dropped, what is older counts as invalid.

const PREAMBLE = `
local states, order = KEYS[1], KEYS[2]
local keep = tonumber(ARGV[1])
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function digits(number) return string.format('%.0f', number) end
local since = redis.call('HGET', states, 'since')
`

/**
 * Reads the states of tags.
 *
 * KEYS: the hash of states, the sorted set of tags by the time of their last invalidation.
 * ARGV: for how many ms states are kept, fields of tags...
 * Returns the time in seconds and its microseconds, `since`, and the state or nil of each tag.
 */
const READ = `${PREAMBLE}
if not since then
  since = digits(now)
  redis.call('HSET', states, 'since', since)
end
if redis.call('PTTL', states) < keep / 2 then
  redis.call('PEXPIRE', states, keep)
  redis.call('PEXPIRE', order, keep)
end
local found = { time[1], time[2], since }
for i = 2, #ARGV do found[i + 2] = redis.call('HGET', states, ARGV[i]) end
return found
`

/**
 * Invalidates tags.
 *
 * KEYS: as above.
 * ARGV: for how many ms states are kept, how many tags at most, when entries expire: '' at once, 'never' or so many ms from now, fields
 * of tags...
 * Returns the time in seconds and its microseconds.
 */
const UPDATE = `${PREAMBLE}
local most, expire = tonumber(ARGV[2]), ARGV[3]
-- Without the set, no state would ever be dropped.
if since and redis.call('EXISTS', order) == 0 and redis.call('HLEN', states) > 1 then
  redis.call('DEL', states)
  since = nil
end
if not since then
  since = digits(now)
  redis.call('HSET', states, 'since', since)
end
for i = 4, #ARGV do
  local expired, stale, due = string.match(redis.call('HGET', states, ARGV[i]) or '', '^(%d+) (%d+) (%d+)$')
  expired, stale, due = tonumber(expired or 0), tonumber(stale or 0), tonumber(due or 0)
  if due > 0 and due <= now then
    expired, due = math.max(expired, stale), 0
  end
  if expire == '' then
    expired, due = now, 0
  else
    stale = now
    if expire ~= 'never' then
      local at = now + tonumber(expire) * 1000
      if due == 0 or at < due then due = at end
    end
  end
  redis.call('HSET', states, ARGV[i], digits(expired) .. ' ' .. digits(stale) .. ' ' .. digits(due))
  redis.call('ZADD', order, digits(now), ARGV[i])
end
local function drop(tags)
  for i = 1, #tags, 2 do
    redis.call('HDEL', states, tags[i])
    redis.call('ZREM', order, tags[i])
    if tonumber(tags[i + 1]) > tonumber(since) then
      since = digits(tonumber(tags[i + 1]))
      redis.call('HSET', states, 'since', since)
    end
  end
end
-- No entry is as old as these.
drop(redis.call('ZRANGEBYSCORE', order, '-inf', digits(now - keep * 1000), 'WITHSCORES', 'LIMIT', 0, 100))
local excess = redis.call('ZCARD', order) - most
if excess > 0 then drop(redis.call('ZRANGE', order, 0, math.min(excess, 1000) - 1, 'WITHSCORES')) end
redis.call('PEXPIRE', states, keep)
redis.call('PEXPIRE', order, keep)
return { time[1], time[2] }
`

module.exports = { READ, UPDATE }
