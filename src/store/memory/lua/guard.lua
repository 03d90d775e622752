-- Wraps Lua functions whose C implementations do not validate their arguments. Returns the global functions among them.
local changeable, describe = ...
local error, type, tonumber, select, pcall, unpack = error, type, tonumber, select, pcall, unpack
local sub, match, rep, resume, loadstring = string.sub, string.match, string.rep, coroutine.resume, loadstring
-- Each item of a pattern may take a frame of the C stack, which has no overflow check and is sized for this many.
local LONGEST_PATTERN = 200000

-- An error as a string, as pcall returns it in Redis 7.0.
local function plain(e)
  if type(e) == 'table' and e.err then return e.err end
  if type(e) == 'string' then return match(e, '^guard:%d+: (.*)') or e end
  return type(e) == 'userdata' and describe(e) or e
end
local function result(ok, ...)
  if ok then return ok, ... else return ok, plain((...)) end
end
-- The handler runs afterwards as a normal function, because hooks do not run during error handling.
local function handled(handler, ok, ...)
  if ok then return ok, ... end
  local fine, told = pcall(handler, plain((...)))
  if not fine then told = 'error in error handling' end
  return false, told
end
-- Truncates a position as C does: out-of-range values become the minimum.
local function position(n, usual)
  if n == nil then return usual end
  n = tonumber(n)
  return n and (n >= -2147483648 and n < 2147483648 and n or -2147483648)
end
-- Makes functions validate their arguments first. Each is called by its own name, so that Lua's errors show that name.
local function guard(owner, names, check)
  for name in names:gmatch('%S+') do
    local text = 'local check, NAME = ... return function(...) check(...) local NAME = NAME return NAME(...) end'
    owner[name] = loadstring(text:gsub('NAME', name), '@guard')(check, owner[name])
  end
end
guard(string, 'find match gmatch gsub', function(_, pattern)
  if type(pattern) == 'string' and #pattern > LONGEST_PATTERN then error('pattern too complex') end
end)
guard(table, 'insert remove sort', changeable)
-- Repeating the empty string would loop in C without producing anything.
function string.rep(...)
  local rep, text, times = rep, ...
  return text == '' and type(times) == 'number' and text or rep(...)
end
function coroutine.resume(...) return result(resume(...)) end
local base = { pcall = function(f, ...) return result(pcall(f, ...)) end }
function base.xpcall(f, ...)
  if select('#', ...) == 0 then error("bad argument #2 to '?' (value expected)", 0) end
  return handled((...), pcall(f))
end
-- The C implementation would overflow its counter.
function base.unpack(...)
  local unpack, t, i, j = unpack, ...
  local first, last = position(i, 1), type(t) == 'table' and position(j, #t)
  if not (first and last) then return unpack(...) end
  if last - first >= 8000 then error('too many results to unpack') end
  return unpack(t, first, last)
end
return base
