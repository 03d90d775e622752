'use strict'

const { AsyncLocalStorage } = require('node:async_hooks')
const { clearTimeout, setTimeout } = require('node:timers')

const { argumentError } = require('./error.js')

// AsyncLocalStorage slows down every promise on some runtimes, so it is disabled after this many ms without a load. Under a
// fake clock that may never happen, and promises stay slower.
const IDLE_MS = 2000

const storage = new AsyncLocalStorage()
let running = 0
let idleTimer

/**
 * Runs `work` in an async context that identifies everything it calls, however indirectly, as part of `load`. `avoided` is the load
 * that this one would have deadlocked on, if that is why it runs separately.
 */
async function runAsPartOf(load, work, avoided) {
  const outer = storage.getStore()?.avoided ?? []
  running++
  try {
    return await storage.run({ load, avoided: avoided ? [...outer, avoided] : outer }, work)
  } finally {
    if (--running === 0) disableWhenIdle()
  }
}

function disableWhenIdle() {
  clearTimeout(idleTimer)
  idleTimer = setTimeout(() => running === 0 && storage.disable(), IDLE_MS)
  idleTimer.unref?.()
}

/**
 * Whether the running code is part of a load that `load` waits for, so that waiting for `load` would deadlock.
 *
 * Throws `E_INVALID_ARGUMENT` if it already runs separately for that reason, since it would recurse forever.
 */
function wouldDeadlock(load) {
  const inside = storage.getStore()
  if (!inside || inside.load.ended || !reaches(load, inside.load, new Set())) return false
  if (inside.avoided.includes(load)) {
    throw argumentError(
      'a load function requests its own key again, so it would recurse forever; load something else or return a value',
    )
  }
  return true
}

function reaches(from, to, seen) {
  if (from === to) return true
  if (seen.has(from)) return false
  seen.add(from)
  for (const next of from.waitsFor.keys()) if (reaches(next, to, seen)) return true
  return false
}

/** Records that the running load waits for `load`. Returns a function that removes the record. */
function recordWait(load) {
  const inside = storage.getStore()?.load
  if (!inside || inside.ended) return () => {}
  const { waitsFor } = inside
  waitsFor.set(load, (waitsFor.get(load) ?? 0) + 1)
  return () => {
    const left = waitsFor.get(load) - 1
    if (left > 0) waitsFor.set(load, left)
    else waitsFor.delete(load)
  }
}

module.exports = { recordWait, runAsPartOf, wouldDeadlock }
