'use strict'

// At the latest after so long, a share is given back, so that blocks and overrides reach a process that has one.
const LONGEST_MS = 1000
// How far the rate of this machine's clock may be off.
const DRIFT = 0.001

/** Hits that the store has counted as spent, for as long as it counts them, or `LONGEST_MS`. */
class Lease {
  #until
  #wallUntil
  #ends
  #resetTime
  #limit
  #rest
  #leftAtTick

  constructor({ result, hits, charge, began, beganWall }) {
    // Whole milliseconds are rounded up.
    const lasts = Math.max(result.resetMs - 1, 0) * (1 - DRIFT)
    const within = Math.min(lasts, LONGEST_MS)
    this.#until = began + within
    // The steady clock of some systems stands still while they sleep.
    this.#wallUntil = beganWall + within
    this.#ends = began + result.resetMs
    this.#resetTime = result.resetTime
    this.#limit = result.limit
    this.#rest = result.remaining
    this.#leftAtTick = hits
    this.hits = hits
    this.left = hits
    // A small one is not worth asking for another in advance.
    this.low = hits < 4 ? 0 : hits / 4
    this.charge = charge
  }

  /** Whether so many hits are left of it. */
  covers(cost, at) {
    return this.left >= cost && at < this.#until && Date.now() < this.#wallUntil
  }

  take(cost, at) {
    this.left -= cost
    return {
      allowed: true,
      limit: this.#limit,
      remaining: this.#rest + this.left,
      resetTime: this.#resetTime,
      resetMs: Math.max(Math.ceil(this.#ends - at), 0),
      retryAfterMs: 0,
      source: 'share',
    }
  }

  /** Whether it ended, or would end with hits left at the rate of the last tick. Called every `tickMs`. */
  isIdle(at, tickMs) {
    if (at >= this.#until || Date.now() >= this.#wallUntil) return true
    const used = this.#leftAtTick - this.left
    this.#leftAtTick = this.left
    return used * (LONGEST_MS / tickMs) < this.left
  }

  /** Ends it; returns how many hits of those that still count were left. */
  end(at) {
    const { left } = this
    this.left = 0
    return at < this.#ends ? left : 0
  }
}

module.exports = { LONGEST_MS, Lease }
