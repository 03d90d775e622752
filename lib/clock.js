'use strict'

const { performance } = require('node:perf_hooks')
const { setImmediate } = require('node:timers')

const { getBridge } = require('./bridge.js')

// Fake clocks in tests replace the global timers and those of node:timers, possibly before this file is loaded. Deadlines must
// fire regardless, so these timers run on the native side.

const BUSY_MS = 10

// From the prototype, where it has one, since a test may have replaced the method of the object.
const now = (Object.getPrototypeOf(performance).now ?? performance.now).bind(performance)

/** Calls `callback` once after `ms`, for which the process stays alive if `holds`. Returns a function that cancels it. */
function later(ms, callback, holds = true) {
  const bridge = getBridge()
  const number = bridge.startTimer(ms, callback, holds)
  return () => bridge.endTimer(number)
}

/** Calls `callback` every `ms`, for which the process stays alive if `holds`. Returns a function that stops it. */
function every(ms, callback, holds = true) {
  let end
  const again = () => {
    next()
    callback()
  }
  const next = () => (end = later(ms, again, holds))
  next()
  return () => end()
}

/** Calls `callback` after everything else that is due on this thread has run. */
function nextTurn(callback) {
  const go = () => {
    end()
    if (callback) callback()
    callback = undefined
  }
  const end = later(BUSY_MS, go)
  setImmediate(go)
}

module.exports = { every, later, nextTurn, now }
