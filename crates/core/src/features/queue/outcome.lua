-- What becomes of a job that ends. The jobs of a run are written together: `run` has what is to be written.
local function new_run(q, now, keep)
  return {
    q = q, now = now, keep = keep, ready = {}, suspects = {}, delayed = {}, ended = {}, deleted = {},
    finished = { [DONE] = {}, [DEAD] = {} }, added = { [DONE] = 0, [DEAD] = 0 },
  }
end

local function retry_later(run, id, lease, priority, why, delay)
  local q, seq = run.q, next_numbers(run.q, 1)
  redis.call('HSET', q .. JOB .. id, 'e', why, 'a', lease.attempt, 's', lease.started, 'l', lease.token)
  if delay == '0' then
    push(run.ready, score_of(priority, seq), id)
  else
    push(run.delayed, (run.now + delay) * 2048 + seq % 2048, id)
  end
  emit('retrying', id, lease.attempt .. ' ' .. delay, why)
end

-- Deletes the job if no job of its state is retained, or if it was added not to be retained once done.
local function finish(run, id, lease, outcome, value, stored, waiting)
  local q, now, set, field = run.q, run.now, DONE, 'r'
  if outcome == 'dead' then
    set, field = DEAD, 'e'
  end
  local discard = run.keep[set][1] < 1 or set == DONE and stored == 'n'
  if discard then
    push(run.deleted, q .. JOB .. id, q .. LOG .. id)
  else
    local job, size = q .. JOB .. id, encode_size(lease.bytes + #value)
    redis.call('HSET', job, field, value, 'f', now, 'a', lease.attempt, 's', lease.started, 'l', lease.token)
    push(run.finished[set], now * 2048 + size, id)
    run.added[set] = run.added[set] + size_of(size)
  end
  store_outcome(q, id, waiting, set == DONE and 'done' or 'dead', value, discard and now)
  emit(set == DONE and 'completed' or 'dead', id, lease.attempt, value, discard)
end

-- Ends a job with this lease, `ran` ms after its start; `waiting` is the number of its waiters, if any.
local function conclude(run, id, lease, outcome, value, delay, ran, waiting)
  local priority, group, dedup, ttl, stored = parse_options(lease.options)
  if outcome == 'release' then
    deactivate(run.q, id, group)
    push(lease.exclusive and run.suspects or run.ready, lease.score, id)
  else
    if lease.started == '' then
      -- The job was too short for its start to be reported before.
      lease.started = string.format('%.0f', run.now - ran)
      emit('active', id, lease.attempt, '')
    end
    if outcome == 'retry' then
      retry_later(run, id, lease, priority, value, delay)
    else
      finish(run, id, lease, outcome, value, stored, waiting)
      free_dedup(run.q, id, dedup, ttl)
    end
    leave_group(run.q, id, group)
  end
  run.ended[#run.ended + 1] = id
end
