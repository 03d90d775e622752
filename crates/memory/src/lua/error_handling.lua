-- Wraps the functions that catch errors, so that scripts receive errors as they do on a server.
--
-- Arguments:
--   base      the table of global functions
--   describe  returns the text of an error that was raised by Rust
local base, describe = ...
local error, type, select, pcall, match, resume = error, type, select, pcall, string.match, coroutine.resume

-- Returns an error as a string, as pcall does in Redis 7.0. A table without a text is returned unchanged, followed by its `err`.
local function plain(e)
  if type(e) == 'table' then
    local text = e.err
    if type(text) == 'string' or type(text) == 'number' then return text end
    return e, text
  end
  if type(e) == 'string' then return match(e, '^guard:%d+: (.*)') or e end
  return type(e) == 'userdata' and describe(e) or e
end
local function result(ok, ...)
  if ok then return ok, ... else return ok, plain((...)) end
end
-- Returns an error as an error handler or the caller of a coroutine receives it: tables are unchanged.
local function raised(e)
  if type(e) == 'userdata' then return { err = describe(e) } end
  return type(e) == 'table' and e or plain(e)
end
local function resumed(ok, ...)
  if ok then return ok, ... else return ok, (raised((...))) end
end
-- The handler is called afterwards as a normal function, because hooks do not run during error handling.
local function with_handler(handler, ok, ...)
  if ok then return ok, ... end
  local handled, reply = pcall(handler, raised((...)))
  if not handled then reply = 'error in error handling' end
  return false, reply
end
function base.pcall(f, ...) return result(pcall(f, ...)) end
function base.xpcall(f, ...)
  if select('#', ...) == 0 then error("bad argument #2 to '?' (value expected)", 0) end
  return with_handler((...), pcall(f))
end
function coroutine.resume(...) return resumed(resume(...)) end
