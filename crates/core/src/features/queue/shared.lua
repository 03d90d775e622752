-- What the scripts of a queue share. `q` is the prefix of the keys of the queue.

-- What a job was given that scripts read: priority, group, what it is the same by, for how many ms, 'n' if it is not kept.
local function options(text)
  if not text or text == '' then
    return 0, '', '', '', ''
  end
  local priority, group, same, ttl, keep = string.match(text, '^([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)')
  return tonumber(priority) or 0, group or '', same or '', ttl or '', keep or ''
end

-- Adds two values to a list: score and id, field and value.
local function push(list, one, other)
  local n = #list
  list[n + 1], list[n + 2] = one, other
end

-- The place of a job among those that are ready: exact up to 2^43 jobs.
local function place(priority, seq)
  return (512 + priority) * 8796093022208 + seq
end

-- Numbers for so many jobs, the first of them.
local function numbers(q, count)
  return redis.call('HINCRBY', q .. META, 'seq', count) - count + 1
end

-- A full server lets a script go on that has begun to write, as workers must be able to. This begins, and changes nothing.
local function begin(q)
  redis.call('HDEL', q .. LEASES, '')
end
