-- Adds a job, as `add` does. KEYS: the queue. ARGV: id, name, data, options, delay in ms, '1' where the caller chose the id, another
-- job whose key is named; '' for what there is not.
return add(KEYS[1], KEYS[3], ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7])
