'use strict'

const { later } = require('./clock.js')
const { abortedError, argumentError } = require('./error.js')
const { assertOptions, describe } = require('./options.js')

const LONGEST_MS = 2 ** 31
const numbers = new WeakMap()
let next = 1

/** What the calls of an object are bound to. */
class Limits {
  constructor(timeoutMs, signals) {
    this.timeoutMs = timeoutMs
    this.signals = signals
    this.ids = signals.map(numberOf)
  }
}

const NONE = new Limits(undefined, [])

/** The limits of `.with(options)` on top of those that are there already: the stricter of two times, and every signal. */
function limitsWithin(outer, options) {
  const inner = options instanceof Limits ? options : limitsOf(options)
  const signals = [...new Set([...outer.signals, ...inner.signals])]
  return new Limits(stricter(outer.timeoutMs, inner.timeoutMs), signals)
}

function limitsOf(options) {
  assertOptions(options, ['timeoutMs', 'signal'])
  const { timeoutMs, signal } = options ?? {}
  if (timeoutMs !== undefined) assertTimeout(timeoutMs)
  if (signal === undefined) return new Limits(timeoutMs, [])
  assertSignal(signal)
  return new Limits(timeoutMs, [signal])
}

/** The same limits without their signals, for what must be done whether or not its caller still waits. */
function withoutSignals({ timeoutMs }) {
  return new Limits(timeoutMs, [])
}

function stricter(one, other) {
  if (one === undefined) return other
  return other === undefined ? one : Math.min(one, other)
}

function assertTimeout(ms) {
  if (typeof ms === 'number' && ms >= 1 && ms <= LONGEST_MS) return
  const got = typeof ms === 'number' ? String(ms) : describe(ms)
  throw argumentError(`timeoutMs must be a number of milliseconds from 1 to 2^31, got ${got}`)
}

// By its shape: runtimes and test environments have classes of their own.
function assertSignal(signal) {
  if (typeof signal === 'object' && typeof signal?.aborted === 'boolean' && isListenable(signal)) return
  throw argumentError(`signal must be an AbortSignal, got ${describe(signal)}`)
}

function isListenable({ addEventListener, removeEventListener }) {
  return typeof addEventListener === 'function' && typeof removeEventListener === 'function'
}

function numberOf(signal) {
  let number = numbers.get(signal)
  if (number === undefined) numbers.set(signal, (number = next++))
  return number
}

/** Throws when one of the signals has aborted. */
function assertGoing({ signals }) {
  const aborted = signals.find((signal) => signal.aborted)
  if (aborted) throw abortedError(aborted.reason)
}

/** `promise`, unless a signal aborts first: others may still want what it brings, so it goes on without this caller. */
function unlessAborted(limits, promise) {
  const { signals } = limits
  if (signals.length === 0) return promise
  return new Promise((resolve, reject) => {
    const stop = () => signals.forEach((signal) => signal.removeEventListener('abort', abort))
    const abort = () => {
      stop()
      try {
        assertGoing(limits)
      } catch (error) {
        reject(error)
      }
    }
    for (const signal of signals) signal.addEventListener('abort', abort)
    promise.then(resolve, reject).finally(stop)
    abortIfGone(signals, abort)
  })
}

/** What a shared load brings. Whoever is bound to a time waits no longer than that for it to be stored as well. */
function loadWithin(limits, { loading, arrived }) {
  const { timeoutMs } = limits
  if (timeoutMs === undefined) return unlessAborted(limits, loading)
  let end
  const wait = (value) => new Promise((resolve) => (end = later(timeoutMs, () => resolve(value))))
  const first = Promise.race([loading, arrived.then(wait)]).finally(() => end?.())
  return unlessAborted(limits, first)
}

function abortIfGone(signals, abort) {
  if (signals.some((signal) => signal.aborted)) abort()
}

/** What an object made by `.with()` is made of, in place of a constructor's arguments. */
class Parts {
  constructor(parts) {
    Object.assign(this, parts)
  }
}

/** An object of the class of `self`, subclasses included, made of these parts by the constructor of `Class`. */
function bind(Class, self, parts) {
  return Reflect.construct(Class, [new Parts(parts)], self.constructor)
}

module.exports = { NONE, Parts, assertGoing, bind, limitsWithin, loadWithin, unlessAborted, withoutSignals }
