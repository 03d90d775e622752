'use strict'

const { AsyncLocalStorage } = require('node:async_hooks')
const { clearTimeout, setTimeout } = require('node:timers')

const { argumentError } = require('./error.js')

// Where the runtime follows every promise for it, that ends when nothing has been loaded for so long, in ms. A fake clock may
// keep it from ending: then promises are slower.
const IDLE_MS = 2000

const storage = new AsyncLocalStorage()
let running = 0
let idle

/**
 * Runs the load of a flight, so that what it calls, however far below, is known to be part of it. `instead` is the flight that
 * it could not wait for, where that is why it loads by itself.
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
 * Whether the code that runs now is part of what the flight waits for, so that neither would ever go on.
 *
 * Throws `E_INVALID_ARGUMENT` where it has already loaded by itself for that reason: it would for ever.
 */
function isWaitedForBy(flight) {
  const inside = storage.getStore()
  if (!inside || inside.flight.ended || !reaches(flight, inside.flight, new Set())) return false
  if (inside.alone.includes(flight)) {
    throw argumentError('a load asks for what it loads, and so on: it would never end')
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

/** Notes that the load whose code runs now waits for a flight; answers what ends that. */
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
