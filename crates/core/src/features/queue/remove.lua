-- Removes a job.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  id
--
-- Returns 1 if there was one; 0 otherwise.
local q = KEYS[1]
local found = erase(q, ARGV[1])
reset_numbers(q)
publish(q)
return found and 1 or 0
