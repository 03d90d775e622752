-- Completes the `redis` table: what needs no access to the data.
local redis = ...
local error, select, type, sub, find = error, select, type, string.sub, string.find

local function one_string(...) return select('#', ...) == 1 and type((...)) == 'string' end
local WRONG = 'ERR wrong number or type of arguments'

function redis.status_reply(...)
  return one_string(...) and { ok = (...) } or { err = WRONG }
end

-- A first word alone is no code: it gets one.
function redis.error_reply(...)
  if not one_string(...) then return { err = WRONG } end
  local text = sub(..., 1, 1) == '-' and sub(..., 2) or (...)
  return { err = find(text, ' ', 1, true) and text or 'ERR ' .. text }
end

-- There is no log to write to.
function redis.log(...)
  if select('#', ...) < 2 then error('redis.log() requires two arguments or more.', 0) end
  local level = ...
  if type(level) ~= 'number' then error('First argument must be a number (log level).', 0) end
  if level < 0 or level > 3 then error('Invalid debug level.', 0) end
end

function redis.replicate_commands() return true end
redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3
