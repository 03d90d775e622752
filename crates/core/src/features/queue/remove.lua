-- Removes a job. KEYS: the queue. ARGV: id. Answers whether there was one.
local q = KEYS[1]
local found = erase(q, ARGV[1])
forget_numbers(q)
publish(q)
return found and 1 or 0
