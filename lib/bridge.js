'use strict'

const binding = require('../binding.js')
const { askCredentials } = require('./credentials.js')
const { readEnvironment } = require('./environment.js')
const { CinnabarError } = require('./error.js')

// Who counted a hit of a limit, by the numbers of `Source` in src/answer.rs.
const SOURCES = ['store', 'local', 'fallback']

// Of this realm, before anybody replaces them.
const { parse, stringify } = JSON

let bridge

function wantsStacks({ NODE_ENV, CINNABAR_STACKS }) {
  return NODE_ENV === 'development' || ['1', 'true'].includes(CINNABAR_STACKS)
}

/** What the native side needs of this realm's JavaScript, made once and at first use: importing starts nothing. */
function getBridge() {
  bridge ??= new binding.Bridge({
    CinnabarError,
    parse,
    stringify,
    afterThisTick,
    // One call from the native side instead of one a field.
    checked: (allowed, remaining, resetTime, limit, source) => ({
      allowed,
      remaining,
      resetTime,
      limit,
      source: SOURCES[source],
    }),
    warn: (text) => console.warn(text),
    askCredentials: (provide, number) =>
      askCredentials(provide, (...answer) => bridge.answerCredentials(number, ...answer)),
    watch: (signal, id) => {
      const listener = () => bridge.abort(id, signal.reason)
      signal.addEventListener('abort', listener)
      return listener
    },
    unwatch: (signal, listener) => signal.removeEventListener('abort', listener),
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
