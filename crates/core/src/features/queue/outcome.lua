-- What becomes of a job that ends. All jobs of a run are written together: `run` has what is to be written.
local function new_run(q, now, keep)
  return {
    q = q, now = now, keep = keep, ready = {}, suspects = {}, delayed = {}, over = {}, gone = {},
    buried = { [DONE] = {}, [DEAD] = {} }, added = { [DONE] = 0, [DEAD] = 0 },
  }
end

local function try_again(run, id, lease, priority, why, delay)
  local q, seq = run.q, numbers(run.q, 1)
  redis.call('HSET', q .. JOB .. id, 'e', why, 'a', lease.attempt, 's', lease.started, 'l', lease.token)
  if delay == '0' then
    push(run.ready, place(priority, seq), id)
  else
    push(run.delayed, (run.now + delay) * 2048 + seq % 2048, id)
  end
  tell('retrying', id, lease.attempt .. ' ' .. delay, why)
end

-- Nothing is kept of a job when nothing of its kind is, or when it was not to be kept once done.
local function finish(run, id, lease, outcome, value, kept, waiting)
  local q, now, set, field = run.q, run.now, DONE, 'r'
  if outcome == 'dead' then
    set, field = DEAD, 'e'
  end
  local forget = run.keep[set][1] < 1 or set == DONE and kept == 'n'
  if forget then
    push(run.gone, q .. JOB .. id, q .. LOG .. id)
  else
    local job, size = q .. JOB .. id, packed(lease.bytes + #value)
    redis.call('HSET', job, field, value, 'f', now, 'a', lease.attempt, 's', lease.started, 'l', lease.token)
    push(run.buried[set], now * 2048 + size, id)
    run.added[set] = run.added[set] + size_of(size)
  end
  hand_over(q, id, waiting, set == DONE and 'done' or 'dead', value, forget and now)
  tell(set == DONE and 'completed' or 'dead', id, lease.attempt, value, forget)
end

-- Ends a job with this lease, `ran` ms after its start; `waiting` is the number of its waiters, if any.
local function conclude(run, id, lease, outcome, value, delay, ran, waiting)
  local priority, group, same, ttl, kept = options(lease.given)
  if outcome == 'release' then
    leave(run.q, id, group)
    push(lease.alone and run.suspects or run.ready, lease.score, id)
  else
    if lease.started == '' then
      -- The job was too short for its start to be reported before.
      lease.started = string.format('%.0f', run.now - ran)
      tell('active', id, lease.attempt, '')
    end
    if outcome == 'retry' then
      try_again(run, id, lease, priority, value, delay)
    else
      finish(run, id, lease, outcome, value, kept, waiting)
      free(run.q, id, same, ttl)
    end
    make_room(run.q, id, group)
  end
  run.over[#run.over + 1] = id
end
