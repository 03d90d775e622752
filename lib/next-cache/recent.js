'use strict'

const MOST = 10_000

/** A map that drops what was set the longest ago. */
class Recent {
  #entries = new Map()

  get(key) {
    return this.#entries.get(key)
  }

  set(key, value) {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size > MOST) this.#entries.delete(this.#entries.keys().next().value)
  }
}

module.exports = { Recent }
