'use strict'

const { binding } = require('./bridge.js')
const { argumentError } = require('./error.js')
const { featureOn } = require('./feature.js')
const { limitHeaders } = require('./limit/headers.js')
const { routeKey } = require('./limit/route-key.js')
const { Limitable, partsOf } = require('./limitable.js')
const names = require('./option-names.js')
const { describe, ownOptions } = require('./options.js')
const { claimPrefix, defaultPrefixes } = require('./prefixes.js')

const OPTIONS = Object.keys(names.limiter)
const preset = (limit, windowSeconds) => Object.freeze({ limit, windowSeconds })
const PRESETS = Object.freeze({
  DEFAULT: preset(100, 60),
  API: preset(1000, 3600),
  AUTH: preset(5, 300),
  STATIC: preset(1000, 60),
})

/** Fixed-window rate limits: a counter with a ttl under `rate_limit:{identifier}`, incremented atomically. */
class RateLimiter extends Limitable {
  static presets = PRESETS
  static headers = limitHeaders
  static keyForRoute = (ip, endpoint) => routeKey(ip, endpoint)

  constructor(service, options) {
    super(service, () => {
      const own = ownOptions(options, OPTIONS)
      const { prefix = defaultPrefixes.limiter } = own
      const make = (native) => {
        const limiter = new binding.Limiter(native, own)
        claimPrefix(native, 'limiter', prefix)
        return { native: limiter }
      }
      return featureOn(service, make, { routePrefix: prefix === defaultPrefixes.limiter ? '' : prefix })
    })
  }

  get #native() {
    return partsOf(this).native
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
    const { limit, windowSeconds } = presetOf(preset)
    return this.#native.check(identifier, limit, windowSeconds)
  }

  headers(result, limit) {
    return limitHeaders(result, limit)
  }

  keyForRoute(ip, endpoint) {
    return routeKey(ip, endpoint, partsOf(this).shared.routePrefix)
  }
}

function presetOf(preset) {
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
