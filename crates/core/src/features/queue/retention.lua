-- Finished jobs, retained for a while. Their scores encode when they finished and how large they are.

-- Encodes a size in 11 bits, to within one part in 64: a number of blocks, and how often a block of 64 bytes is doubled.
local function encode_size(bytes)
  local blocks, doublings = math.ceil(bytes / 64), 0
  while blocks > 127 do
    blocks, doublings = math.ceil(blocks / 2), doublings + 1
  end
  return doublings * 128 + blocks
end
local function size_of(score)
  local code = score % 2048
  return 64 * (code % 128) * 2 ^ math.floor(code / 128)
end

-- Deletes the deduplication key of a job if it has no ttl of its own and so ends with the job.
local function free_dedup(q, id, dedup, ttl)
  if dedup ~= '' and ttl == '' and redis.call('GET', q .. DEDUP .. dedup) == id then
    redis.call('DEL', q .. DEDUP .. dedup)
  end
end

-- Adds finished jobs: score, id, score, id.
local function add_finished(q, set, jobs)
  if #jobs > 0 then
    redis.call('ZADD', q .. set, unpack(jobs))
  end
end

-- Deletes the oldest jobs of a set until it complies with `keep`: count, age in ms, bytes; 16 times the bytes for the last second,
-- because callers may read a result just after it was stored. `added` bytes are new in the set.
local function trim(q, set, now, keep, added)
  local count, total = redis.call('ZCARD', q .. set), tonumber(redis.call('HGET', q .. META, set) or 0) or 0
  local over = count - keep[1]
  local fetch, again, doomed, left = math.max(1, math.min(over + 1, 200)), nil, {}, 0
  repeat
    local oldest = redis.call('ZRANGE', q .. set, 0, fetch - 1, 'WITHSCORES')
    doomed, left = {}, total + added
    for i = 1, #oldest, 2 do
      local score = tonumber(oldest[i + 1])
      local age = now - math.floor(score / 2048)
      if #doomed / 2 >= over and age < keep[2] and left <= (age < 1000 and 16 or 1) * keep[3] then
        break
      end
      left = left - size_of(score)
      doomed[i], doomed[i + 1] = q .. JOB .. oldest[i], q .. LOG .. oldest[i]
    end
    again = fetch < 200 and #doomed == #oldest and #doomed / 2 < count
    fetch = 200
  until not again
  if #doomed > 0 then
    redis.call('UNLINK', unpack(doomed))
    redis.call('ZREMRANGEBYRANK', q .. set, 0, #doomed / 2 - 1)
  end
  if #doomed / 2 == count then
    redis.call('HDEL', q .. META, set)
  elseif left ~= total then
    redis.call('HSET', q .. META, set, math.max(left, 0))
  end
end
