'use strict'

const { abortedError, argumentError } = require('./error.js')
const { onAbort } = require('./on-abort.js')
const { assertMilliseconds, describe, ownOptions } = require('./options.js')

const numbers = new WeakMap()
let nextNumber = 1

const ALL = new WeakSet()

/** When calls end at the latest: after `timeoutMs` milliseconds, or once one of `signals` aborts. */
class CallLimits {
  constructor(timeoutMs, signals) {
    this.timeoutMs = timeoutMs
    this.signals = signals
    // The native side identifies signals by these numbers.
    this.ids = signals.map(numberOf)
    ALL.add(this)
  }
}

const NO_LIMITS = new CallLimits(undefined, [])

/** The limits of `with(options)` in addition to `outer`: the shorter of two timeouts, and all signals. */
function limitsWithin(outer, options) {
  const inner = ALL.has(options) ? options : readLimits(options)
  const signals = [...new Set([...outer.signals, ...inner.signals])]
  return new CallLimits(shorter(outer.timeoutMs, inner.timeoutMs), signals)
}

function readLimits(options) {
  const { timeoutMs, signal } = ownOptions(options, ['timeoutMs', 'signal'])
  if (timeoutMs !== undefined) assertMilliseconds(timeoutMs, 'timeoutMs')
  if (signal === undefined) return new CallLimits(timeoutMs, [])
  assertSignal(signal)
  return new CallLimits(timeoutMs, [signal])
}

/** The same limits without their signals, for what must be done whether or not its caller still waits. */
function withoutSignals({ timeoutMs }) {
  return new CallLimits(timeoutMs, [])
}

function shorter(one, other) {
  if (one === undefined) return other
  return other === undefined ? one : Math.min(one, other)
}

// By its shape: runtimes and test environments have classes of their own.
function assertSignal(signal, name = 'signal') {
  try {
    if (typeof signal === 'object' && typeof signal?.aborted === 'boolean' && isListenable(signal)) return
  } catch (error) {
    throw argumentError(`${name} could not be read`, error)
  }
  throw argumentError(`${name} must be an AbortSignal, got ${describe(signal)}`)
}

function isListenable({ addEventListener, removeEventListener }) {
  return typeof addEventListener === 'function' && typeof removeEventListener === 'function'
}

function numberOf(signal) {
  let number = numbers.get(signal)
  if (number === undefined) numbers.set(signal, (number = nextNumber++))
  return number
}

/** Throws if one of the signals has aborted. */
function throwIfAborted({ signals }) {
  const aborted = signals.find((signal) => signal.aborted)
  if (aborted) throw abortedError(aborted.reason)
}

/** Settles as `promise` does, unless a signal aborts first. The work itself continues, since other callers may need its result. */
function unlessAborted({ signals }, promise) {
  if (signals.length === 0) return promise
  return new Promise((resolve, reject) => {
    const stop = whenAborted(signals, reject)
    promise.then(resolve, reject).finally(stop)
  })
}

/** The same for the promise that `begin()` returns. If a signal aborts first, its value is passed to `undo` once it is there. */
async function undoIfAborted(limits, begin, undo) {
  throwIfAborted(limits)
  const promise = begin()
  try {
    return await unlessAborted(limits, promise)
  } catch (error) {
    // No caller is left to get an error of `undo`.
    promise.then(undo).catch(() => {})
    throw error
  }
}

/** Calls `reject` with the error of the first signal that aborts. Returns a function that removes the listeners. */
function whenAborted(signals, reject) {
  const aborted = signals.find((signal) => signal.aborted)
  if (aborted) {
    reject(abortedError(aborted.reason))
    return () => {}
  }
  const stops = []
  const stop = () => stops.forEach((stop) => stop())
  for (const signal of signals) {
    const abort = () => {
      stop()
      reject(abortedError(signal.reason))
    }
    stops.push(onAbort(signal, abort))
  }
  return stop
}

module.exports = {
  NO_LIMITS,
  assertSignal,
  limitsWithin,
  throwIfAborted,
  undoIfAborted,
  unlessAborted,
  whenAborted,
  withoutSignals,
}
