-- The store's clock in ms since 1970. It is read at most once per run, so that all items of a run have the same time.
local clock_ms
local function now_ms()
  if not clock_ms then
    local time = redis.call('TIME')
    clock_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  end
  return clock_ms
end
