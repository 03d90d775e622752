'use strict'

const binding = require('./addon.js')
const { readCredentials } = require('./credentials.js')
const { readEnvironment } = require('./environment-variables.js')
const { CinnabarError } = require('./error.js')
const { fromJson, toJson } = require('./json.js')
const { onAbort } = require('./on-abort.js')

// Which counter produced a rate-limit result, indexed by `Source` in crates/core/src/output.rs.
const SOURCES = ['store', 'local', 'fallback', 'cache']

let bridge

function wantsStacks({ NODE_ENV, CINNABAR_STACKS }) {
  return NODE_ENV === 'development' || ['1', 'true'].includes(CINNABAR_STACKS)
}

/** The JavaScript functions that the native side needs. Created once, at first use: importing the package starts nothing. */
function getBridge() {
  bridge ??= new binding.Bridge({
    CinnabarError,
    parse: fromJson,
    stringify: toJson,
    afterThisTick,
    checked: limitResult,
    // Field names may come from untrusted input, so the object must have no prototype.
    record: (object = {}) => Object.setPrototypeOf(object, null),
    warn: (text) => console.warn(text),
    askCredentials: (provide, number) =>
      readCredentials(provide, (...result) => bridge.settleCredentials(number, ...result)),
    watch: (signal, id) => onAbort(signal, () => bridge.abort(id, signal.reason)),
    unwatch: (_signal, stop) => stop(),
    // Capturing a stack trace costs microseconds per call, so it is done only in development or on request.
    captureStack: wantsStacks(readEnvironment()),
    // `jest --detectOpenHandles` calls `hasRef` to find out whether this keeps the process alive.
    resource: { hasRef: () => bridge?.isBusy ?? false },
  })
  return bridge
}

// One call from the native side instead of one per field.
function limitResult(allowed, limit, remaining, resetTime, resetMs, retryAfterMs, source, shadowDenied, charge) {
  const result = { allowed, limit, remaining, resetTime, resetMs, retryAfterMs, source: SOURCES[source] }
  if (shadowDenied) result.shadowDenied = true
  if (charge !== undefined) result.charge = charge
  return result
}

// `await` depends on no global. Tests replace queueMicrotask and Promise, and some never restore them.
async function afterThisTick(callback) {
  await undefined
  callback()
}

module.exports = { binding, getBridge }
