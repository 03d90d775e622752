'use strict'

const { sep } = require('node:path')

const BRAND = Symbol.for('cinnabar.error')

/**
 * The one error of this package. Two copies of the package in one process recognise each other's errors by a shared
 * brand, because a class identity would differ between them.
 */
class CinnabarError extends Error {
  constructor(message, { code = 'E_INTERNAL', retryable = false, command, key, done, cause, trace } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = retryable
    if (command !== undefined) this.command = command
    if (key !== undefined) this.key = key
    if (done !== undefined) showDone(this, done)
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

// A number may stand in a log; a list may be long, and what is in it the caller's own.
function showDone(error, done) {
  const enumerable = !Array.isArray(done)
  Object.defineProperty(error, 'done', { value: done, enumerable, configurable: true, writable: true })
}

// An error that is made while no JavaScript runs has no stack at all in Bun, and tools take for granted that there is one.
function giveStack(error) {
  if (!(error instanceof Error) || typeof error.stack === 'string') return
  const value = `${error.name}: ${error.message}`
  Object.defineProperty(error, 'stack', { value, configurable: true, writable: true })
}

// An answer arrives on an empty stack. `trace` was made where the call was: its frames, without ours, name that line.
function showCaller(error, trace) {
  const frames = String(trace.stack)
    .split('\n')
    .filter((line) => /^\s+at /.test(line) && !line.includes(__dirname + sep))
  const value = [`${error.name}: ${error.message}`, ...frames].join('\n')
  Object.defineProperty(error, 'stack', { value, configurable: true, writable: true })
}

/** The caller's mistake, in words that say what to do. */
function argumentError(message, cause) {
  return new CinnabarError(message, { code: 'E_INVALID_ARGUMENT', cause })
}

/** What a call bound to a signal ends with: the signal's reason is its cause. */
function abortedError(reason) {
  return new CinnabarError("the caller's signal ended this call", { code: 'E_ABORTED', cause: reason })
}

// The codes of `Error::is_unavailable` in src/error.rs.
const UNAVAILABLE = new Set(['E_UNAVAILABLE', 'E_NOT_SENT', 'E_BACKPRESSURE', 'E_TIMEOUT', 'E_MAYBE_APPLIED'])

/** Whether there was no server to answer, as opposed to an answer that says no. */
function isUnavailable(error) {
  return error instanceof CinnabarError && UNAVAILABLE.has(error.code)
}

module.exports = { CinnabarError, abortedError, argumentError, isUnavailable }
