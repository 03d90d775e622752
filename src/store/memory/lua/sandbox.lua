-- Makes the globals a script sees. Nothing in them can be changed, so nothing survives a run; nothing reaches a file.
local redis, base, describe = ...
local error, type, tostring, sub, concat = error, type, tostring, string.sub, table.concat
local setmetatable, rawset, pcall, xpcall, loadstring = setmetatable, rawset, pcall, xpcall, loadstring
local collectgarbage, sealed = collectgarbage, setmetatable({}, { __mode = 'k' })
local READONLY = 'Attempt to modify a readonly table'

local function seal(inner)
  local refuse = function() error(READONLY, 2) end
  local outer = setmetatable({}, { __index = inner, __newindex = refuse, __metatable = false })
  sealed[outer] = true
  return outer
end
local function changeable(t)
  if sealed[t] then error(READONLY, 0) end
  return t
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

string.dump = nil
getmetatable('').__metatable = false
local kept = '_VERSION assert error getmetatable ipairs next pairs rawequal rawget select tonumber tostring type unpack'
for name in kept:gmatch('%S+') do base[name] = _G[name] end
for name, inner in pairs({ redis = redis, coroutine = coroutine, string = string, table = table, math = math }) do
  base[name] = seal(inner)
end
function base.pcall(f, ...) return result(pcall(f, ...)) end
function base.xpcall(f, handler) return xpcall(f, function(e) return handler(plain(e)) end) end
function base.rawset(t, name, value) return rawset(changeable(t), name, value) end
function base.setmetatable(t, meta) return setmetatable(changeable(t), meta) end
function base.collectgarbage() return collectgarbage('count') end
base.gcinfo = base.collectgarbage
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
