-- Checks whether a session that was admitted still has its place. It counts as under creation for some time more, so that no other
-- sign-in that has read the index before takes its id for one without a session.
-- KEYS[1] the index
-- KEYS[2] the sessions that have to end
-- ARGV[1] the id of the session
-- ARGV[2] the ids of those that have ended, each with a NUL behind it
-- Returns 1, or 0 if another session of the user has taken its place.
for id in string.gmatch(ARGV[2], '[^%z]+') do
  redis.call('ZREM', KEYS[2], id)
end
return redis.call('ZSCORE', KEYS[1], ARGV[1]) and 1 or 0
