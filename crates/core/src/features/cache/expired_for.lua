-- Returns for how many ms the epoch of a tag has been expired.
-- KEYS[1] the epoch, which only says which server has the clock
-- ARGV[1] when it was expired, in ms since 1970
return now_ms() - ARGV[1]
