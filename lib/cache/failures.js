'use strict'

const { now } = require('../clock.js')

const MOST = 10_000

/** The last failures of loads in this process, for as long as callers get them instead of another load. */
class Failures {
  #byKey = new Map()

  /** Keeps the failure of a load of a value with these tags. */
  remember(key, error, seconds, tags) {
    this.#byKey.delete(key)
    if (this.#byKey.size >= MOST) this.#byKey.delete(this.#byKey.keys().next().value)
    this.#byKey.set(key, { error, tags, until: now() + seconds * 1000 })
  }

  /** `{ error }`, or undefined. */
  of(key) {
    if (this.#byKey.size === 0) return undefined
    const found = this.#byKey.get(key)
    if (found && now() >= found.until) this.#byKey.delete(key)
    else return found
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
