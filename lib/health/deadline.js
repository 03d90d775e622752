'use strict'

const { later, now } = require('../clock.js')
const { CinnabarError } = require('../error.js')

/** A span of time that several steps share. */
class Deadline {
  #ms
  #end

  constructor(ms) {
    this.#ms = ms
    this.#end = now() + ms
  }

  /** How much of it is left, in ms. */
  get left() {
    return Math.max(0, this.#end - now())
  }

  /** What `work` answers, or `E_TIMEOUT` when the span ends first. */
  async race(work) {
    let end
    const late = new Promise((_, reject) => {
      const error = () =>
        new CinnabarError(`no answer within ${Math.round(this.#ms)} ms`, { code: 'E_TIMEOUT', retryable: true })
      end = later(this.left, () => reject(error()))
    })
    try {
      return await Promise.race([work, late])
    } finally {
      end?.()
      // What loses the race still settles some day, and nobody listens by then.
      Promise.resolve(work).catch(() => {})
    }
  }
}

module.exports = { Deadline }
