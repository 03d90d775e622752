-- Deletes the state of a connection, unless another connection has taken its id.
-- KEYS[1] the key of the state
-- ARGV[1] the state as this connection stored it
-- Returns 1 if it was deleted, otherwise 0.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
return redis.call('DEL', KEYS[1])
