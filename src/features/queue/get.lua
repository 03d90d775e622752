-- Looks at a job. KEYS: the queue. ARGV: id. Answers what it is like, nothing when there is none.
local q, id = KEYS[1], ARGV[1]
local states = { { LEASED, 'active' }, { DELAYED, 'delayed' }, { DONE, 'done' }, { DEAD, 'dead' } }
for _, state in ipairs(states) do
  local score = redis.call('ZSCORE', q .. state[1], id)
  if score then
    return view(q, id, state[2], score)
  end
end
return view(q, id, 'ready', 0)
