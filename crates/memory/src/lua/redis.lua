-- Adds the functions that need no access to the data to the `redis` table.
--
-- Arguments:
--   redis  the table
local redis = ...
local error, select, type, match = error, select, type, string.match

local function one_string(...) return select('#', ...) == 1 and type((...)) == 'string' end
local WRONG = 'ERR wrong number or type of arguments'

function redis.status_reply(...)
  return one_string(...) and { ok = (...) } or { err = WRONG }
end

-- Text without a space has no error code and gets `ERR`. As in C, the text ends at its first NUL; line breaks around the message
-- are removed.
function redis.error_reply(...)
  if not one_string(...) then return { err = WRONG } end
  local text = match(..., '^%-?([^%z]*)')
  local code, rest = match(text, '^([^ ]*) (.*)$')
  return { err = (code or 'ERR') .. ' ' .. match(rest or text, '^[\r\n]*(.-)[\r\n]*$') }
end

-- There is no log to write to.
function redis.log(...)
  if select('#', ...) < 2 then error({ err = 'ERR redis.log() requires two arguments or more.' }) end
  local level = ...
  if type(level) ~= 'number' then error({ err = 'ERR First argument must be a number (log level).' }) end
  if not (level > -1 and level < 4) then error({ err = 'ERR Invalid debug level.' }) end
end

function redis.replicate_commands() return true end
redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3
