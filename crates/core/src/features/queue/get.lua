-- Looks at a job. KEYS: the queue. ARGV: id. Answers what it is like, nothing when there is none.
return find(KEYS[1], ARGV[1])
