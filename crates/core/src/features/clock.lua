-- The store's clock in µs and in ms since 1970. It is read at most once per run, so that all items of a run have the same time.
local clock_us
local function now_us()
  if not clock_us then
    local time = redis.call('TIME')
    clock_us = time[1] * 1000000 + time[2]
  end
  return clock_us
end
local function now_ms()
  return math.floor(now_us() / 1000)
end
