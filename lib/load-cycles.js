'use strict'

const { AsyncLocalStorage } = require('node:async_hooks')
const { clearTimeout, setTimeout } = require('node:timers')

const { argumentError } = require('./error.js')

// AsyncLocalStorage slows down every promise on some runtimes, so it is disabled after this many ms without a load. Under a
// fake clock that may never happen, and promises stay slower.
const IDLE_MS = 2000

const storage = new AsyncLocalStorage()
let running = 0
let idle

/**
 * Runs the load of a flight in a context of its own, which identifies everything the load calls, however indirectly. `instead` is
 * the flight that this one would have deadlocked on, if that is why it loads separately.
 */
async function loadAround(flight, work, instead) {
  const alone = storage.getStore()?.alone ?? []
  running++
  try {
    return await storage.run({ flight, alone: instead ? [...alone, instead] : alone }, work)
  } finally {
    if (--running === 0) rest()
  }
}

function rest() {
  clearTimeout(idle)
  idle = setTimeout(() => running === 0 && storage.disable(), IDLE_MS)
  idle.unref?.()
}

/**
 * Whether the running code is part of a load that `flight` waits for, so that waiting for `flight` would deadlock.
 *
 * Throws `E_INVALID_ARGUMENT` if it already loads separately for that reason, since it would recurse forever.
 */
function isWaitedForBy(flight) {
  const inside = storage.getStore()
  if (!inside || inside.flight.ended || !reaches(flight, inside.flight, new Set())) return false
  if (inside.alone.includes(flight)) {
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
  for (const next of from.waits.keys()) if (reaches(next, to, seen)) return true
  return false
}

/** Records that the running load waits for a flight. Returns a function that removes the record. */
function waitFor(flight) {
  const inside = storage.getStore()?.flight
  if (!inside || inside.ended) return () => {}
  const { waits } = inside
  waits.set(flight, (waits.get(flight) ?? 0) + 1)
  return () => {
    const left = waits.get(flight) - 1
    if (left > 0) waits.set(flight, left)
    else waits.delete(flight)
  }
}

module.exports = { isWaitedForBy, loadAround, waitFor }
