-- Creates the globals of scripts and returns them. They are read-only, so no data survives a run, and none of them accesses files.
--
-- Arguments:
--   redis  the `redis` table
--   base   the table of global functions
--   guard  the chunk of argument_checks.lua
local redis, base, guard = ...
local error, type, tostring, sub, concat = error, type, tostring, string.sub, table.concat
local setmetatable, rawset, loadstring = setmetatable, rawset, loadstring
local collectgarbage, sealed = collectgarbage, setmetatable({}, { __mode = 'k' })
local READONLY = 'Attempt to modify a readonly table'

local function seal(inner)
  local reject = function() error(READONLY, 2) end
  local outer = setmetatable({}, { __index = inner, __newindex = reject, __metatable = false })
  sealed[outer] = true
  return outer
end
local function writable(t)
  if t ~= nil and sealed[t] then error(READONLY, 0) end
  return t
end

guard(function(t) writable(t) end)
string.dump = nil
local allowed = '_VERSION assert error getmetatable ipairs next pairs rawequal rawget select tonumber tostring type'
for name in allowed:gmatch('%S+') do base[name] = _G[name] end
for name, inner in pairs({ redis = redis, coroutine = coroutine, string = string, table = table, math = math }) do
  base[name] = seal(inner)
end
getmetatable('').__metatable = seal({ __index = base.string })
function base.rawset(...)
  writable((...))
  return rawset(...)
end
function base.setmetatable(...)
  writable((...))
  return setmetatable(...)
end
function base.collectgarbage() return collectgarbage('count') end
base.gcinfo = base.collectgarbage
-- Lua does not verify bytecode, and malformed code would crash the process. With a space in front it is parsed as text, which fails.
function base.loadstring(...)
  local text, name = ...
  if type(text) == 'string' and sub(text, 1, 1) == '\27' then return loadstring(' ' .. text, name or text) end
  return loadstring(...)
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
