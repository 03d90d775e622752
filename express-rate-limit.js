'use strict'

const { RateLimiter } = require('./index.js')
const { argumentError } = require('./lib/error.js')
const { describe, ownOptions } = require('./lib/options.js')

const OPTIONS = ['service', 'prefix', 'onUnavailable']
const POLICY = 'hits'
// express-rate-limit knows the limit, and counts what it refuses.
const UNLIMITED = Number.MAX_SAFE_INTEGER
// Of a client in a window. Each is a request that may still be taken back; refused ones never are.
const MOST_CHARGES = 1000

/** A store for express-rate-limit: a fixed window by the store's clock, which starts with a client's first request. */
class CinnabarStore {
  #make
  #limiter
  // By key, what can be given back: `{ charges, endsAt }`. `undefined` if nothing ever is.
  #charges = new Map()
  #sweepAt = 0

  constructor(options) {
    const { service, prefix = 'rl:', onUnavailable } = ownOptions(options, OPTIONS)
    this.prefix = prefix
    this.localKeys = false
    this.#make = (per) => {
      const policies = { [POLICY]: { algorithm: 'fixed-window', limit: UNLIMITED, per } }
      return new RateLimiter(service, { prefix, onUnavailable, denyCache: false, policies })
    }
    // For the errors of wrong options.
    this.#make(1)
  }

  init({ windowMs, skipFailedRequests, skipSuccessfulRequests }) {
    if (!(typeof windowMs === 'number' && windowMs >= 1))
      throw argumentError(`windowMs must be a number of milliseconds of at least 1, got ${describe(windowMs)}`)
    this.#limiter = this.#make(windowMs / 1000)
    if (!skipFailedRequests && !skipSuccessfulRequests) this.#charges = undefined
  }

  async get(key) {
    const result = await this.#opened().peek(POLICY, key)
    const totalHits = hitsOf(result)
    return totalHits === 0 ? undefined : { totalHits, resetTime: endOf(result) }
  }

  async increment(key) {
    const result = await this.#opened().check(POLICY, key, { refundable: this.#charges !== undefined })
    if (result.charge !== undefined) this.#remember(key, result)
    // express-rate-limit takes 0 for an error of the store.
    return { totalHits: Math.max(1, hitsOf(result)), resetTime: endOf(result) }
  }

  /** Takes a request of this process back, as far as its window has not ended. */
  async decrement(key) {
    const limiter = this.#opened()
    const charge = this.#charges?.get(key)?.charges.pop()
    if (charge !== undefined) await limiter.refund(POLICY, key, charge)
  }

  async resetKey(key) {
    this.#charges?.delete(key)
    await this.#opened().reset(POLICY, key)
  }

  #opened() {
    if (this.#limiter) return this.#limiter
    throw argumentError('this store is not used by a rateLimit() yet')
  }

  #remember(key, { charge, resetMs }) {
    const now = performance.now()
    if (now >= this.#sweepAt) {
      for (const [known, { endsAt }] of this.#charges) if (endsAt <= now) this.#charges.delete(known)
      this.#sweepAt = now + 1000
    }
    let entry = this.#charges.get(key)
    if (!entry || entry.endsAt <= now) this.#charges.set(key, (entry = { charges: [], endsAt: now + resetMs }))
    entry.charges.push(charge)
    if (entry.charges.length > MOST_CHARGES) entry.charges.shift()
  }
}

// Without a counter nothing was counted.
function hitsOf({ remaining }) {
  return Number.isFinite(remaining) ? UNLIMITED - remaining : 0
}

function endOf({ allowed, source, resetTime }) {
  // Refused without counting, by `onUnavailable: 'deny'`: it may pass as soon as the store is back.
  if (!allowed && source === 'fallback') return new Date(Date.now() + 1000)
  return resetTime === undefined ? undefined : new Date(resetTime)
}

module.exports = { CinnabarStore }
