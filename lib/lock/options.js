'use strict'

const { assertSignal, limitsWithin } = require('../call-limits.js')
const { argumentError } = require('../error.js')
const { assertMilliseconds, describe, ownOptions } = require('../options.js')

/** How a lock is held, beside its ttl. */
const HOLD_OPTIONS = ['maxHoldSeconds', 'heartbeatSeconds', 'mode']
const WAIT_OPTIONS = ['timeoutMs', 'signal', 'fair']
const TTL_SECONDS = 30
const MAX_HOLD_SECONDS = 3600
const WAIT_MS = 30_000

/** Reads how a lock is to be held. The native side checks the numbers. */
function readHold({ ttlSeconds = TTL_SECONDS, maxHoldSeconds = MAX_HOLD_SECONDS, heartbeatSeconds, mode = 'write' }) {
  if (mode !== 'write' && mode !== 'read') throw argumentError(`mode must be 'read' or 'write', got ${describe(mode)}`)
  return { ttlSeconds, maxHoldSeconds, heartbeatSeconds, mode }
}

/** Reads the option `wait`: the limits of the call with its signal, for how many ms to wait, and whether in turn. */
function readWait(limits, wait) {
  if (wait === undefined) return { limits, waitMs: 0, fair: false }
  const { timeoutMs = WAIT_MS, signal, fair = false } = ownOptions(wait, WAIT_OPTIONS, 'wait.')
  assertMilliseconds(timeoutMs, 'wait.timeoutMs')
  if (signal !== undefined) assertSignal(signal, 'wait.signal')
  if (typeof fair !== 'boolean') throw argumentError(`wait.fair must be true or false, got ${describe(fair)}`)
  const waitMs = Math.min(timeoutMs, limits.timeoutMs ?? Infinity)
  return { limits: signal === undefined ? limits : limitsWithin(limits, { signal }), waitMs, fair }
}

/** What is left of the limits of a call and of its wait after so many milliseconds. */
function leftOf({ limits, waitMs, fair }, spent) {
  const left = Math.max(Math.floor(waitMs - spent), 0)
  const { timeoutMs } = limits
  const within = timeoutMs === undefined ? limits : limitsWithin(limits, { timeoutMs: Math.max(timeoutMs - spent, 1) })
  return { limits: within, waitMs: left, fair: fair && left > 0 }
}

module.exports = { HOLD_OPTIONS, leftOf, readHold, readWait }
