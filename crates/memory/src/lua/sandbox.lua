-- Makes the globals a script sees. Nothing in them can be changed, so nothing survives a run; nothing reaches a file.
local redis, base, guard = ...
local error, type, tostring, sub, concat = error, type, tostring, string.sub, table.concat
local setmetatable, rawset, loadstring = setmetatable, rawset, loadstring
local collectgarbage, sealed = collectgarbage, setmetatable({}, { __mode = 'k' })
local READONLY = 'Attempt to modify a readonly table'

local function seal(inner)
  local refuse = function() error(READONLY, 2) end
  local outer = setmetatable({}, { __index = inner, __newindex = refuse, __metatable = false })
  sealed[outer] = true
  return outer
end
local function changeable(t)
  if t ~= nil and sealed[t] then error(READONLY, 0) end
  return t
end

guard(function(t) changeable(t) end)
string.dump = nil
local kept = '_VERSION assert error getmetatable ipairs next pairs rawequal rawget select tonumber tostring type'
for name in kept:gmatch('%S+') do base[name] = _G[name] end
for name, inner in pairs({ redis = redis, coroutine = coroutine, string = string, table = table, math = math }) do
  base[name] = seal(inner)
end
getmetatable('').__metatable = seal({ __index = base.string })
function base.rawset(...)
  changeable((...))
  return rawset(...)
end
function base.setmetatable(...)
  changeable((...))
  return setmetatable(...)
end
function base.collectgarbage() return collectgarbage('count') end
base.gcinfo = base.collectgarbage
-- Compiled code is not checked by Lua: a forged piece would crash the process. With a space in front it is parsed as text, which fails.
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
