'use strict'

const { RateLimiter } = require('./index.js')
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

  async increment(key, ttl, limit, blockDuration) {
    const limiter = this.#limiterOf(ttl)
    // Only a block refuses nothing at all. Both travel in one round.
    const [result, nothing] = await Promise.all([
      limiter.check(POLICY, key, { limit }),
      blockDuration > 0 ? limiter.peek(POLICY, key, { limit, cost: 0 }) : undefined,
    ])
    const timeToExpire = secondsIn(result.resetMs)
    if (result.allowed) {
      const totalHits = Number.isFinite(result.remaining) ? limit - result.remaining : 0
      return { totalHits, timeToExpire, isBlocked: false, timeToBlockExpire: 0 }
    }
    const startsBlock = nothing?.allowed && result.source === 'store'
    if (startsBlock) await block(limiter, key, blockDuration, result)
    const blockedMs = startsBlock ? blockDuration : (nothing?.allowed === false ? nothing : result).retryAfterMs
    return { totalHits: limit + 1, timeToExpire, isBlocked: true, timeToBlockExpire: secondsIn(blockedMs) }
  }

  #limiterOf(ttl) {
    let limiter = this.#limiters.get(ttl)
    if (limiter) return limiter
    if (this.#limiters.size >= MOST_LIMITERS) this.#limiters.clear()
    this.#limiters.set(ttl, (limiter = this.#make(ttl)))
    return limiter
  }
}

/** Blocks a client. What was counted is forgotten if it would count for longer than the block. */
function block(limiter, key, blockDuration, { resetMs }) {
  const calls = resetMs > blockDuration ? [limiter.reset(POLICY, key)] : []
  return Promise.all([...calls, limiter.block(POLICY, key, blockDuration / 1000)])
}

function secondsIn(ms) {
  return Number.isFinite(ms) ? Math.max(1, Math.ceil(ms / 1000)) : 0
}

module.exports = { CinnabarThrottlerStorage }
