'use strict'

const { binding } = require('./bridge.js')
const { Parts, bind, limitsWithin } = require('./call-options.js')
const { argumentError } = require('./error.js')
const { limitHeaders } = require('./limit/headers.js')
const { routeKey } = require('./limit/route-key.js')
const { derivedOf, limitsOf, madeOf } = require('./native-service.js')
const { describe, ownOptions } = require('./options.js')
const { claimPrefix } = require('./prefixes.js')

const OPTIONS = ['prefix', 'onUnavailable']
const PREFIX = 'rate_limit:'
const preset = (limit, windowSeconds) => Object.freeze({ limit, windowSeconds })
const PRESETS = Object.freeze({
  DEFAULT: preset(100, 60),
  API: preset(1000, 3600),
  AUTH: preset(5, 300),
  STATIC: preset(1000, 60),
})

/** Fixed-window rate limits: a counter with a ttl under `rate_limit:{identifier}`, incremented atomically. */
class RateLimiter {
  #made
  #limits
  /** Prepended to route keys; empty for the default prefix. */
  #prefix

  static presets = PRESETS
  static headers = limitHeaders
  static keyForRoute = (ip, endpoint) => routeKey(ip, endpoint)

  constructor(service, options) {
    const parts = Parts.of(service, new.target)
    if (parts) {
      this.#made = parts.made
      this.#limits = parts.limits
      this.#prefix = parts.prefix
      return
    }
    const own = ownOptions(options, OPTIONS)
    const { prefix = PREFIX } = own
    this.#made = madeOf(service, (handle) => {
      const native = new binding.Limiter(handle, own)
      claimPrefix(handle, 'limiter', prefix)
      return { native }
    })
    this.#limits = limitsOf(service)
    this.#prefix = prefix === PREFIX ? '' : prefix
  }

  get #native() {
    return this.#made().native
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    const made = derivedOf(this.#made, ({ native }) => ({ native: native.within(limits) }))
    return bind(RateLimiter, this, { made, limits, prefix: this.#prefix })
  }

  checkRateLimit(identifier, limit = 100, windowSeconds = 3600) {
    return this.#native.check(identifier, limit, windowSeconds)
  }

  resetRateLimit(identifier) {
    return this.#native.reset(identifier)
  }

  checkLimit(key, limit, window) {
    return this.#native.checkKey(key, limit, window)
  }

  async check(identifier, preset = 'DEFAULT') {
    const { limit, windowSeconds } = resolve(preset)
    return this.#native.check(identifier, limit, windowSeconds)
  }

  headers(result, limit) {
    return limitHeaders(result, limit)
  }

  keyForRoute(ip, endpoint) {
    return routeKey(ip, endpoint, this.#prefix)
  }
}

function resolve(preset) {
  if (typeof preset === 'string') {
    if (Object.hasOwn(PRESETS, preset)) return PRESETS[preset]
    throw argumentError(`unknown preset; known presets: ${Object.keys(PRESETS).join(', ')}`)
  }
  if (typeof preset === 'object' && preset !== null) {
    return ownOptions(preset, ['limit', 'windowSeconds'])
  }
  throw argumentError(`preset must be a name or { limit, windowSeconds }, got ${describe(preset)}`)
}

module.exports = { RateLimiter }
