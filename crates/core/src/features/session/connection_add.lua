-- Adds a connection to the index of its user.
-- KEYS[1] the index
-- ARGV[1] the id of the connection
-- ARGV[2] the ttl in ms
-- Returns 1.
add(KEYS[1], ARGV[1], tonumber(ARGV[2]))
return 1
