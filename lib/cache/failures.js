'use strict'

const { now } = require('../clock.js')
const { Recent } = require('../recent.js')

/** The last failures of loads in this process, for as long as callers get them instead of another load. */
class Failures {
  #byKey = new Recent()

  /** Keeps the failure of a load of a value with these tags. */
  remember(key, error, seconds, tags) {
    this.#byKey.set(key, { error, tags, until: now() + seconds * 1000 })
  }

  /** `{ error }`, or undefined. */
  of(key) {
    const found = this.#byKey.get(key)
    if (found === undefined || now() < found.until) return found
    this.#byKey.delete(key)
    return undefined
  }

  forget(key) {
    if (this.#byKey.size > 0) this.#byKey.delete(key)
  }

  forgetTagged(tag) {
    for (const [key, { tags }] of this.#byKey) if (tags.includes(tag)) this.#byKey.delete(key)
  }

  forgetAll() {
    this.#byKey.clear()
  }
}

module.exports = { Failures }
