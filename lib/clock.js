'use strict'

const { performance } = require('node:perf_hooks')
const { setImmediate } = require('node:timers')

const { getBridge } = require('./bridge.js')

// Fake clocks of tests replace the global timers and those of node:timers, and may have done so before this file is loaded.
// What a call waits for must come all the same, so it is asked of none of them.

const BUSY_MS = 10

/** Ms since some moment, of a clock that nobody sets. */
const now = performance.now.bind(performance)

/** Calls `callback` once after `ms`. Answers what ends the wait. */
function later(ms, callback) {
  const bridge = getBridge()
  const number = bridge.startTimer(ms, callback)
  return () => bridge.endTimer(number)
}

/** Calls `callback` every `ms`, until what this answers is called. */
function every(ms, callback) {
  let end
  const next = () =>
    (end = later(ms, () => {
      next()
      callback()
    }))
  next()
  return () => end()
}

/** Calls `callback` when everything else that waits on this thread has had its turn. */
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
