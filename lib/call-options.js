'use strict'

const { later, now } = require('./clock.js')
const { CinnabarError, abortedError, argumentError } = require('./error.js')
const { keepAlive } = require('./keep-alive.js')
const { waitFor } = require('./load-cycles.js')
const { onAbort } = require('./on-abort.js')
const { assertMilliseconds, describe, ownOptions } = require('./options.js')

const numbers = new WeakMap()
let next = 1

const LIMITS = new WeakSet()

/** What the calls of an object are bound to. */
class Limits {
  constructor(timeoutMs, signals) {
    this.timeoutMs = timeoutMs
    this.signals = signals
    this.ids = signals.map(numberOf)
    LIMITS.add(this)
  }
}

const NONE = new Limits(undefined, [])

/** The limits of `.with(options)` on top of those that are there already: the stricter of two times, and every signal. */
function limitsWithin(outer, options) {
  const inner = LIMITS.has(options) ? options : limitsOf(options)
  const signals = [...new Set([...outer.signals, ...inner.signals])]
  return new Limits(stricter(outer.timeoutMs, inner.timeoutMs), signals)
}

function limitsOf(options) {
  const { timeoutMs, signal } = ownOptions(options, ['timeoutMs', 'signal'])
  if (timeoutMs !== undefined) assertMilliseconds(timeoutMs, 'timeoutMs')
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

/** Settles as `promise` does, unless a signal aborts first. The work itself continues, since other callers may need its result. */
function unlessAborted({ signals }, promise) {
  if (signals.length === 0) return promise
  return new Promise((resolve, reject) => {
    const stop = whenAborted(signals, reject)
    promise.then(resolve, reject).finally(stop)
  })
}

// Returns a function that removes the listeners. There are none if a signal has aborted already.
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

/**
 * Resolves to the value of a shared load. A caller with `timeoutMs` waits no longer than that. Without it, a caller waits for
 * its own load as long as a load may take; when another caller's load is overdue, it starts a load of its own and takes
 * whichever value arrives first.
 */
function loadWithin({ signals, timeoutMs }, share) {
  return new Promise((resolve, reject) => {
    const [followed, stops, since] = [[], [], now()]
    let ended = false
    const end = (settle, value) => {
      if (ended) return
      ended = true
      for (const stop of stops) stop()
      settle(value)
    }
    const fail = (error) => end(reject, error)
    // A value that is loaded but not stored yet is returned.
    const giveUp = () => {
      const brought = followed.find((flight) => flight.brought)?.brought
      if (brought) end(resolve, brought.value)
      else
        fail(
          new CinnabarError('the load did not finish in time; it continues in the background', {
            code: 'E_TIMEOUT',
            retryable: true,
          }),
        )
    }
    const follow = ({ flight, own, again, longestMs }) => {
      followed.push(flight)
      stops.push(waitFor(flight))
      flight.loading.then((value) => end(resolve, value), fail)
      if (timeoutMs !== undefined) return
      const late = (last) => {
        if (flight.brought || (own && last) || (followed.length > 1 && now() - since > longestMs)) giveUp()
        else if (!own && !last) attempt(() => follow(again()))
      }
      stops.push(flight.whenLate(late))
    }
    const attempt = (step) => {
      try {
        step()
      } catch (error) {
        fail(error)
      }
    }
    stops.push(keepAlive(share.owner))
    if (timeoutMs !== undefined) stops.push(later(timeoutMs, giveUp, false))
    stops.push(whenAborted(signals, fail))
    if (!ended) follow(share)
  })
}

// What the constructor of a subclass, which `bind` runs, has not handed on yet.
let pending

/** What `.with()` makes an object of, in place of the public arguments of its constructor. */
class Parts {
  constructor(parts) {
    Object.assign(this, parts)
  }

  /** The parts for an object under construction, or none for one that callers make. */
  static of(first, target) {
    if (pending?.target !== target) return PARTS.has(first) ? first : undefined
    const { parts } = pending
    pending = undefined
    return parts
  }
}

const PARTS = new WeakSet()

/**
 * An object of the class of `self`, made of these parts by the constructor of `Class`. That of a subclass runs too, for only that
 * gives an object its private fields, whatever it hands on to `super()`; one that needs its own arguments throws, and then the
 * object is made without it. Other fields are those of `self`.
 */
function bind(Class, self, parts) {
  const made = new Parts(parts)
  PARTS.add(made)
  const { constructor } = self
  if (constructor === Class) return new Class(made)
  const bound = constructed(constructor, made) ?? Reflect.construct(Class, [made], constructor)
  // Unlike `Object.defineProperties`, this leaves alone what the constructor has fixed or frozen.
  for (const name of Reflect.ownKeys(self)) {
    Reflect.defineProperty(bound, name, Reflect.getOwnPropertyDescriptor(self, name))
  }
  return bound
}

function constructed(constructor, parts) {
  const outer = pending
  pending = { target: constructor, parts }
  try {
    const bound = new constructor(parts)
    return pending === undefined ? bound : undefined
  } catch {
    return undefined
  } finally {
    pending = outer
  }
}

module.exports = { NONE, Parts, assertGoing, bind, limitsWithin, loadWithin, unlessAborted, withoutSignals }
