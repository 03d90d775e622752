'use strict'

const binding = require('./addon.js')
const { askCredentials } = require('./credentials.js')
const { readEnvironment } = require('./environment.js')
const { CinnabarError } = require('./error.js')
const { fromJson, toJson } = require('./json.js')
const { onAbort } = require('./signals.js')

// Who counted a hit of a limit, by the numbers of `Source` in src/answer.rs.
const SOURCES = ['store', 'local', 'fallback']

let bridge

function wantsStacks({ NODE_ENV, CINNABAR_STACKS }) {
  return NODE_ENV === 'development' || ['1', 'true'].includes(CINNABAR_STACKS)
}

/** What the native side needs of this realm's JavaScript, made once and at first use: importing starts nothing. */
function getBridge() {
  bridge ??= new binding.Bridge({
    CinnabarError,
    parse: fromJson,
    stringify: toJson,
    afterThisTick,
    // One call from the native side instead of one a field.
    checked: (allowed, remaining, resetTime, retryAfterMs, limit, source) => ({
      allowed,
      remaining,
      resetTime,
      retryAfterMs,
      limit,
      source: SOURCES[source],
    }),
    // Its fields have names that strangers may have chosen.
    record: (object = {}) => Object.setPrototypeOf(object, null),
    warn: (text) => console.warn(text),
    askCredentials: (provide, number) =>
      askCredentials(provide, (...answer) => bridge.answerCredentials(number, ...answer)),
    watch: (signal, id) => onAbort(signal, () => bridge.abort(id, signal.reason)),
    unwatch: (_signal, stop) => stop(),
    // A stack costs microseconds a call, so only development pays for the line of the caller, and who asks for it.
    captureStack: wantsStacks(readEnvironment()),
    // What `jest --detectOpenHandles` asks whether it keeps the process alive.
    resource: { hasRef: () => bridge?.isBusy ?? false },
  })
  return bridge
}

// An `await` asks no global: tests replace queueMicrotask and Promise, and some never bring them back.
async function afterThisTick(callback) {
  await undefined
  callback()
}

module.exports = { binding, getBridge }
