-- Reads a job.
--
-- KEYS[1]  the prefix of the queue's keys
-- KEYS[2]  the queue's meta hash
-- KEYS[3]  the prefix of the queue's channels
-- ARGV[1]  id
--
-- Returns the job as `view` builds it, or nil if there is no such job.
return find(KEYS[1], ARGV[1])
