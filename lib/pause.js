'use strict'

const { whenAborted } = require('./call-limits.js')
const { later } = require('./clock.js')

/**
 * Resolves after `ms`, or rejects with `E_ABORTED` once one of the signals aborts. The process stays alive for as long, by `hold()` if that is
 * given: it returns a function that ends this.
 */
function pause(ms, { signals }, hold) {
  return new Promise((resolve, reject) => {
    const ends = []
    const end = (settle, value) => {
      ends.forEach((end) => end())
      settle(value)
    }
    if (hold) ends.push(hold())
    ends.push(later(ms, () => end(resolve), hold === undefined))
    ends.push(whenAborted(signals, (error) => end(reject, error)))
  })
}

module.exports = { pause }
