-- Wraps functions whose C implementations would overflow an int, or would produce another sequence of numbers than a server.
--
-- Arguments:
--   base         the table of global functions
--   next_random  returns the next pseudo-random number, from 0 to 1, 1 excluded
--   seed_random  seeds the generator
local base, next_random, seed_random = ...
local error, type, tonumber, unpack = error, type, tonumber, unpack
local floor, ceil, random, randomseed = math.floor, math.ceil, math.random, math.randomseed

-- Converts a number to an int as C does: the low 32 bits of a 64-bit integer, 0 if it does not fit.
local function to_int(n, default)
  if n == nil then return default end
  n = tonumber(n)
  if not n then return nil end
  if not (n >= -9223372036854775808 and n < 9223372036854775808) then return 0 end
  n = (n < 0 and ceil(n) or floor(n)) % 4294967296
  return n < 2147483648 and n or n - 4294967296
end
-- The same sequence as a server's for the same seed; failed calls advance it too. The C function validates the arguments.
function math.random(...)
  local random, r, l, u = random, next_random(), ...
  random(...)
  if l == nil then return r end
  l, u = to_int(l), to_int(u)
  if not u then return floor(r * l) + 1 end
  return floor(r * to_int(u - l + 1)) + l
end
function math.randomseed(...)
  local randomseed = randomseed
  randomseed(...)
  seed_random(to_int((...)))
end
-- The C implementation would overflow its counter.
function base.unpack(...)
  local unpack, t, i, j = unpack, ...
  local first, last = to_int(i, 1), type(t) == 'table' and to_int(j, #t)
  if not (first and last) then return unpack(...) end
  if last - first >= 8000 then error('too many results to unpack') end
  return unpack(t, first, last)
end
