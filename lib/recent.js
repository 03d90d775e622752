'use strict'

const MOST = 10_000

/** A map that drops what was set the longest ago. */
class Recent extends Map {
  set(key, value) {
    this.delete(key)
    super.set(key, value)
    if (this.size > MOST) this.delete(this.keys().next().value)
    return this
  }
}

module.exports = { Recent }
