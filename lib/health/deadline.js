'use strict'

const { later, now } = require('../clock.js')
const { CinnabarError } = require('../error.js')

/** A deadline shared by several steps. */
class Deadline {
  #ms
  #end

  constructor(ms) {
    this.#ms = ms
    this.#end = now() + ms
  }

  /** The time left, in ms. */
  get left() {
    return Math.max(0, this.#end - now())
  }

  /** Settles as `work` does, or rejects with `E_TIMEOUT` if the deadline passes first. */
  async race(work) {
    let end
    const late = new Promise((_, reject) => {
      const error = () =>
        new CinnabarError(`no reply within ${Math.round(this.#ms)} ms`, { code: 'E_TIMEOUT', retryable: true })
      end = later(this.left, () => reject(error()))
    })
    try {
      return await Promise.race([work, late])
    } finally {
      end?.()
      // If `work` loses the race and rejects later, that must not be an unhandled rejection.
      Promise.resolve(work).catch(() => {})
    }
  }
}

module.exports = { Deadline }
