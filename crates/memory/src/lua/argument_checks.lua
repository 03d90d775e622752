-- Wraps functions whose C implementations do not validate their arguments.
--
-- Arguments:
--   writable  raises an error if its argument is a read-only table
local writable = ...
local error, type, loadstring = error, type, loadstring
-- In bytes. Each item of a pattern may take a frame of the C stack, which has no overflow check and is sized for this many.
local MAX_PATTERN = 200000

-- Makes functions validate their arguments first. Each is called by its own name, so that Lua's errors show that name.
local function guard(owner, names, check)
  for name in names:gmatch('%S+') do
    local text = 'local check, NAME = ... return function(...) check(...) local NAME = NAME return NAME(...) end'
    owner[name] = loadstring(text:gsub('NAME', name), '@guard')(check, owner[name])
  end
end
guard(string, 'find match gmatch gsub', function(_, pattern)
  if type(pattern) == 'string' and #pattern > MAX_PATTERN then error('pattern too complex') end
end)
guard(table, 'insert remove sort', writable)
-- Repeating the empty string would loop in C without producing anything.
local rep = string.rep
function string.rep(...)
  local rep, text, times = rep, ...
  return text == '' and type(times) == 'number' and text or rep(...)
end
