-- Jobs that have finished: kept for a while, by when they did and by how large they are.

-- A size in 11 bits, to within one part in 64: how many pieces there are, and how often a piece of 64 bytes is doubled.
local function packed(bytes)
  local pieces, doubled = math.ceil(bytes / 64), 0
  while pieces > 127 do
    pieces, doubled = math.ceil(pieces / 2), doubled + 1
  end
  return doubled * 128 + pieces
end
local function size_of(score)
  local code = score % 2048
  return 64 * (code % 128) * 2 ^ math.floor(code / 128)
end

-- Frees what a job is the same by, when that was to hold until it has finished.
local function free(q, id, same, ttl)
  if same ~= '' and ttl == '' and redis.call('GET', q .. DEDUP .. same) == id then
    redis.call('DEL', q .. DEDUP .. same)
  end
end

-- Puts jobs among those that have finished: when and how large, and id.
local function bury(q, set, jobs)
  if #jobs > 0 then
    redis.call('ZADD', q .. set, unpack(jobs))
  end
end

-- Drops the oldest of a set until it keeps to `keep`: how many, how many ms, how many bytes; 16 times that for the last second,
-- as callers may ask for a result just after it came. `added` bytes are new in it.
local function trim(q, set, now, keep, added)
  local held, total = redis.call('ZCARD', q .. set), tonumber(redis.call('HGET', q .. META, set) or 0) or 0
  local over = held - keep[1]
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
    again = fetch < 200 and #doomed == #oldest and #doomed / 2 < held
    fetch = 200
  until not again
  if #doomed > 0 then
    redis.call('UNLINK', unpack(doomed))
    redis.call('ZREMRANGEBYRANK', q .. set, 0, #doomed / 2 - 1)
  end
  if #doomed / 2 == held then
    redis.call('HDEL', q .. META, set)
  elseif left ~= total then
    redis.call('HSET', q .. META, set, math.max(left, 0))
  end
end
