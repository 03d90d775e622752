'use strict'

// For the default service.
require('./index.js')

const { adapterOn } = require('./lib/adapter/native.js')
const { argumentError } = require('./lib/error.js')
const { describe, ownOptions } = require('./lib/options.js')

const OPTIONS = ['prefix']
const LONGEST_SECONDS = 3_155_760_000

/** The secondary storage of better-auth: texts under `better-auth:{key}`. */
function secondaryStorage(service, options) {
  const { prefix = 'better-auth:' } = ownOptions(options, OPTIONS)
  if (typeof prefix !== 'string') throw argumentError(`prefix must be a string, got ${describe(prefix)}`)
  const parts = adapterOn(service, 'better-auth', prefix)
  return {
    get: (key) => parts.native.get(key),
    async set(key, value, ttl) {
      // What has expired already must not be kept for ever.
      if (typeof ttl === 'number' && ttl <= 0) await parts.native.remove([key])
      else await parts.native.set(key, value, ttl === undefined ? ttl : Math.min(ttl, LONGEST_SECONDS))
    },
    async delete(key) {
      await parts.native.remove([key])
    },
    getAndDelete: (key) => parts.native.take(key),
    increment: (key, ttl) => parts.native.increment(key, ttl),
  }
}

module.exports = { secondaryStorage }
