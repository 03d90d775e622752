-- Makes the globals a script sees. Nothing in them can be changed, so nothing survives a run; nothing reaches a file.
local redis, base, describe = ...
local error, type, select, sub, concat = error, type, select, string.sub, table.concat
local setmetatable, rawset, pcall, xpcall, loadstring = setmetatable, rawset, pcall, xpcall, loadstring
local collectgarbage = collectgarbage
local sealed = setmetatable({}, { __mode = 'k' })
local READONLY = 'Attempt to modify a readonly table'

local function seal(inner)
  local outer = setmetatable({}, { __index = inner, __newindex = function() error(READONLY, 2) end, __metatable = false })
  sealed[outer] = true
  return outer
end

-- An error as a string: what pcall tells a script in Redis 7.0.
local function plain(e)
  if type(e) == 'table' and e.err then return e.err end
  return type(e) == 'userdata' and describe(e) or e
end
local function result(ok, ...)
  if ok then return ok, ... end
  return ok, plain((...))
end
local function changeable(t)
  if sealed[t] then error(READONLY, 0) end
  return t
end

function redis.status_reply(...)
  if select('#', ...) ~= 1 or type((...)) ~= 'string' then return { err = 'ERR wrong number or type of arguments' } end
  return { ok = (...) }
end
function redis.error_reply(...)
  if select('#', ...) ~= 1 or type((...)) ~= 'string' then return { err = 'ERR wrong number or type of arguments' } end
  local text = sub(..., 1, 1) == '-' and sub(..., 2) or (...)
  return { err = text:find(' ', 1, true) and text or 'ERR ' .. text }
end
function redis.log(...)
  if select('#', ...) < 2 then error('redis.log() requires two arguments or more.', 0) end
  local level = ...
  if type(level) ~= 'number' then error('First argument must be a number (log level).', 0) end
  if level < 0 or level > 3 then error('Invalid debug level.', 0) end
end
function redis.replicate_commands() return true end
redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3

string.dump = nil
getmetatable('').__metatable = false
for name in ('_VERSION assert error getmetatable ipairs next pairs rawequal rawget select tonumber tostring type unpack'):gmatch('%S+') do
  base[name] = _G[name]
end
base.redis, base.coroutine = seal(redis), seal(coroutine)
base.string, base.table, base.math = seal(string), seal(table), seal(math)
function base.pcall(f, ...) return result(pcall(f, ...)) end
function base.xpcall(f, handler) return xpcall(f, function(e) return handler(plain(e)) end) end
function base.rawset(t, name, value) return rawset(changeable(t), name, value) end
function base.setmetatable(t, meta) return setmetatable(changeable(t), meta) end
function base.collectgarbage() return collectgarbage('count') end
function base.gcinfo() return collectgarbage('count') end
-- Compiled code is not checked by Lua: a forged piece would crash the process.
function base.loadstring(text, name)
  if type(text) == 'string' and sub(text, 1, 1) == '\27' then return nil, 'compiled code is refused' end
  return loadstring(text, name)
end
function base.load(reader, name)
  local parts = {}
  for part in reader do parts[#parts + 1] = part end
  return base.loadstring(concat(parts), name)
end
setmetatable(base, { __index = function(_, name)
  error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end })
base._G = seal(base)
return base._G
