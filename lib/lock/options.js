'use strict'

const { assertSignal, limitsWithin } = require('../call-limits.js')
const { argumentError } = require('../error.js')
const { assertMilliseconds, describe, ownOptions } = require('../options.js')

/** How a lock is held, beside its ttl. */
const HOLD_OPTIONS = ['maxHoldSeconds', 'heartbeatSeconds', 'mode', 'replicas']
const REPLICAS_OPTIONS = ['count', 'timeoutMs']
const WAIT_OPTIONS = ['timeoutMs', 'signal', 'fair']
const TTL_SECONDS = 30
const MAX_HOLD_SECONDS = 3600
const WAIT_MS = 30_000
const REPLICAS_MS = 1000
const MOST_REPLICAS = 1000

/** Reads how a lock is to be held. The native side checks the numbers. */
function readHold(options) {
  const { ttlSeconds = TTL_SECONDS, maxHoldSeconds = MAX_HOLD_SECONDS, heartbeatSeconds, mode = 'write' } = options
  if (mode !== 'write' && mode !== 'read') throw argumentError(`mode must be 'read' or 'write', got ${describe(mode)}`)
  return { ttlSeconds, maxHoldSeconds, heartbeatSeconds, mode, replicas: readReplicas(options.replicas) }
}

/** Reads how many replicas have to store a lock, and within what time. */
function readReplicas(replicas) {
  if (replicas === undefined) return undefined
  const { count = 1, timeoutMs = REPLICAS_MS } = ownOptions(replicas, REPLICAS_OPTIONS, 'replicas.')
  if (!Number.isInteger(count) || count < 1 || count > MOST_REPLICAS)
    throw argumentError(`replicas.count must be a whole number from 1 to ${MOST_REPLICAS}, got ${describe(count)}`)
  assertMilliseconds(timeoutMs, 'replicas.timeoutMs')
  return { count, timeoutMs }
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
