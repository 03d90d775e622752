'use strict'

const { sep } = require('node:path')

const BRAND = Symbol.for('cinnabar.error')

/**
 * The one error of this package. Two copies of the package in one process recognise each other's errors by a shared
 * brand, because a class identity would differ between them.
 */
class CinnabarError extends Error {
  constructor(message, details) {
    // A copy without a prototype, since `Object.prototype` may be polluted.
    const given = { __proto__: null, ...details }
    const { code = 'E_INTERNAL', retryable = false, serverCode, command, key, done, result, cause, trace } = given
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = retryable
    if (serverCode !== undefined) this.serverCode = serverCode
    if (command !== undefined) this.command = command
    if (key !== undefined) this.key = key
    if (done !== undefined) showDone(this, done)
    // Not enumerable: it is the caller's own data, which a log should not show.
    if ('result' in given) define(this, 'result', result)
    if (trace) showCaller(this, trace)
    for (const error of [this, cause]) giveStack(error)
  }

  static [Symbol.hasInstance](value) {
    // A subclass inherits this method and must not claim every error of ours.
    if (this !== CinnabarError) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && value[BRAND] === true
  }
}

for (const [key, value] of [
  ['name', 'CinnabarError'],
  [BRAND, true],
]) {
  Object.defineProperty(CinnabarError.prototype, key, { value, configurable: true, writable: true })
}

// A count may appear in a log. A list is not enumerable: it may be long, and it holds the caller's own data.
function showDone(error, done) {
  define(error, 'done', done, !Array.isArray(done))
}

function define(object, name, value, enumerable = false) {
  Object.defineProperty(object, name, { value, enumerable, configurable: true, writable: true })
}

// In Bun, an error that is created while no JavaScript runs has no `stack` at all, and tools expect a string.
function giveStack(error) {
  if (!(error instanceof Error) || typeof error.stack === 'string') return
  const value = `${error.name}: ${error.message}`
  Object.defineProperty(error, 'stack', { value, configurable: true, writable: true })
}

// A reply arrives on an empty stack. `trace` was captured at the call: its frames, without ours, name the caller's line.
function showCaller(error, trace) {
  const frames = String(trace.stack)
    .split('\n')
    .filter((line) => /^\s+at /.test(line) && !line.includes(__dirname + sep))
  const value = [`${error.name}: ${error.message}`, ...frames].join('\n')
  Object.defineProperty(error, 'stack', { value, configurable: true, writable: true })
}

/** An error for a mistake in the caller's code. The message says what to do. */
function argumentError(message, cause) {
  return new CinnabarError(message, { code: 'E_INVALID_ARGUMENT', cause })
}

/** The error of a call whose signal was aborted. Its cause is the signal's reason. */
function abortedError(reason) {
  return new CinnabarError("the caller's signal ended this call", { code: 'E_ABORTED', cause: reason })
}

// The codes of `Kind::is_unavailable` in crates/port/src/error/unavailable.rs.
const UNAVAILABLE = new Set(['E_UNAVAILABLE', 'E_NOT_SENT', 'E_BACKPRESSURE', 'E_TIMEOUT', 'E_MAYBE_APPLIED'])

/** Whether the server could not be reached in time, as opposed to a reply that refuses. */
function isUnavailable(error) {
  return error instanceof CinnabarError && UNAVAILABLE.has(error.code)
}

/** Whether a call that can do without the store does so: it is unavailable, or has no memory left for the write. */
function allowsFallback(error) {
  return isUnavailable(error) || (error instanceof CinnabarError && error.code === 'E_OUT_OF_MEMORY')
}

/**
 * Returns an error to pass to `next()` or `done()` for a rejection with any value. Without an error, or with a falsy one, both call the handler,
 * and Express's `next('route')` skips the middleware that follows.
 */
function errorFor(reason) {
  const isObject = typeof reason === 'object' && reason !== null
  if (isObject && isReadable(reason)) return reason
  const message = 'the promise of the middleware was rejected with a value that is not an error'
  return new Error(message, isObject ? undefined : { cause: reason })
}

/** Whether a framework and the console can read an object as an error: what they read of a proxy may throw, and that ends the process. */
function isReadable(object) {
  try {
    Object.getPrototypeOf(object)
    for (const name of ['status', 'statusCode', 'message', 'stack']) void object[name]
    return true
  } catch {
    return false
  }
}

module.exports = { CinnabarError, abortedError, allowsFallback, argumentError, errorFor, isUnavailable }
