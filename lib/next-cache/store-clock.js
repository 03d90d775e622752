'use strict'

const { performance } = require('node:perf_hooks')

const { now } = require('../clock.js')

// By how much two clocks may diverge: more than the 500 ppm by which a clock is adjusted at most.
const DRIFT = 0.001

/** Milliseconds since 1970, as Next.js measures `timestamp`. Unlike `Date.now()`, a prerendered component may call it. */
function localTime() {
  return performance.timeOrigin + now()
}

/**
 * Relates the clock of this process to that of the store. A reply with the store's time was made between the call and its arrival, so
 * the difference lies between two bounds, which every reply narrows and the drift of clocks widens. In milliseconds.
 */
class StoreClock {
  #least = -Infinity
  #most = Infinity
  #at = 0

  /** Takes note of the store's time, in a reply to a call made at `calledAt` that arrived at `arrivedAt`. */
  observe(calledAt, time, arrivedAt) {
    const widened = (arrivedAt - this.#at) * DRIFT
    const [least, most] = [time - arrivedAt, time - calledAt]
    this.#least = Math.max(least, this.#least - widened)
    this.#most = Math.min(most, this.#most + widened)
    // One of the clocks was set, or another server has taken over.
    if (this.#least > this.#most) [this.#least, this.#most] = [least, most]
    this.#at = arrivedAt
  }

  /** How long ago the last reply arrived. */
  get ageMs() {
    return localTime() - this.#at
  }

  /** The store's time at a local time, and not later than it was. */
  earliest(local) {
    return local + this.#least - Math.abs(local - this.#at) * DRIFT
  }

  /** The local time at a time of the store, and not later than it was. */
  localAt(time) {
    return time - this.#most - this.ageMs * DRIFT
  }
}

module.exports = { StoreClock, localTime }
