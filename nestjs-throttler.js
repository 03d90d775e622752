'use strict'

const { RateLimiter } = require('./index.js')
const { partsOf } = require('./lib/limitable.js')
const { ownOptions } = require('./lib/options.js')

const OPTIONS = ['service', 'prefix', 'onUnavailable', 'denyCache']
const POLICY = 'hits'
// The ttl of a route may be a function.
const MOST_LIMITERS = 100

/** A storage for @nestjs/throttler: a sliding window by the store's clock, and a block once the limit is exceeded. */
class CinnabarThrottlerStorage {
  #make
  // By the length of the window in milliseconds.
  #limiters = new Map()

  constructor(options) {
    const { service, prefix = 'throttler:', onUnavailable, denyCache } = ownOptions(options, OPTIONS)
    this.#make = (ttl) => {
      const policies = { [POLICY]: { algorithm: 'sliding-window', limit: 1, per: ttl / 1000 } }
      return new RateLimiter(service, { prefix, onUnavailable, denyCache, policies })
    }
    // For the errors of wrong options.
    this.#make(1000)
  }

  async increment(key, ttl, limit, blockDuration, throttlerName) {
    const limiter = this.#limiterOf(ttl)
    const identifier = identifierOf(throttlerName, key)
    // Only a block refuses nothing at all. Both travel in one round.
    const [result, nothing] = await Promise.all([
      limiter.check(POLICY, identifier, { limit }),
      blockDuration > 0 ? limiter.peek(POLICY, identifier, { limit, cost: 0 }) : undefined,
    ])
    const timeToExpire = secondsIn(result.resetMs, ttl)
    if (result.allowed) {
      const totalHits = Number.isFinite(result.remaining) ? limit - result.remaining : 0
      return { totalHits, timeToExpire, isBlocked: false, timeToBlockExpire: 0 }
    }
    // Not counted at all, by `onUnavailable: 'deny'`: it may pass as soon as the store is back.
    if (result.source === 'fallback')
      return { totalHits: limit + 1, timeToExpire: 1, isBlocked: true, timeToBlockExpire: 1 }
    const startsBlock = nothing?.allowed && result.source === 'store'
    if (startsBlock) await block(limiter, identifier, blockDuration)
    const blockedMs = startsBlock ? blockDuration : (nothing?.allowed === false ? nothing : result).retryAfterMs
    return { totalHits: limit + 1, timeToExpire, isBlocked: true, timeToBlockExpire: secondsIn(blockedMs, ttl) }
  }

  #limiterOf(ttl) {
    let limiter = this.#limiters.get(ttl)
    if (limiter) return limiter
    if (this.#limiters.size >= MOST_LIMITERS) this.#limiters.clear()
    this.#limiters.set(ttl, (limiter = this.#make(ttl)))
    return limiter
  }
}

// A key may be that of several limits, as with a `generateKey` of the application. The name ends where its quotes do.
function identifierOf(throttlerName = 'default', key) {
  return JSON.stringify(throttlerName) + key
}

/** Blocks a client and forgets what was counted, which would count for longer than the block, in one step: a check between them would pass. */
function block(limiter, identifier, blockDuration) {
  return partsOf(limiter).native.change(POLICY, identifier, 'blockAfresh', blockDuration / 1000)
}

/** Whole seconds. What never ends, as with a limit of 0, is as long as `ttl`. */
function secondsIn(ms, ttl) {
  return Math.max(1, Math.ceil((Number.isFinite(ms) ? ms : ttl) / 1000))
}

module.exports = { CinnabarThrottlerStorage }
