-- What the scripts of a queue share. `q` is the prefix of the keys of the queue.

-- Parses the options of a job that scripts use: priority, group, deduplication key, its ttl in ms, 'n' if it is not retained.
local function parse_options(text)
  if not text or text == '' then
    return 0, '', '', '', ''
  end
  local priority, group, dedup, ttl, keep = string.match(text, '^([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)')
  return tonumber(priority) or 0, group or '', dedup or '', ttl or '', keep or ''
end

-- Appends two values to a list: score and id, field and value.
local function push(list, one, other)
  local n = #list
  list[n + 1], list[n + 2] = one, other
end

-- The score of a ready job: exact up to 2^43 jobs.
local function score_of(priority, seq)
  return (512 + priority) * 8796093022208 + seq
end

-- Allocates numbers for so many jobs; returns the first of them.
local function next_numbers(q, count)
  return redis.call('HINCRBY', q .. META, 'seq', count) - count + 1
end

-- A server that is out of memory lets a script continue that has begun to write, and workers must be able to continue. This write
-- changes nothing.
local function begin_writing(q)
  redis.call('HDEL', q .. LEASES, '')
end
