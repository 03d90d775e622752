'use strict'

const { binding } = require('../bridge.js')
const { argumentError } = require('../error.js')
const { featureOn } = require('../feature.js')
const names = require('../option-names.js')
const { assertMilliseconds, describe, readOptions } = require('../options.js')
const { claimPrefix, defaultPrefixes } = require('../prefixes.js')
const { encryptionOptions } = require('../session/encryption.js')
const { LOAD_TIMEOUTS, singleFlightOf } = require('../single-flight.js')
const { nearTierOn } = require('../near/tier-on.js')
const { withFiniteTtl } = require('../ttl.js')
const { codecOf } = require('./codec.js')
const { codedCache } = require('./coded-cache.js')
const { LOAD_OPTIONS, LoadOptions } = require('./load-options.js')

const OWN_OPTIONS = ['codec', 'loadTimeoutMs', 'sharedLoads', ...LOAD_OPTIONS]
const OPTIONS = { ...names.cache, ...Object.fromEntries(OWN_OPTIONS.map((name) => [name, true])) }

/** What a new cache is made of, for the constructor of `Limitable`. */
function cachePartsOn(service, options) {
  const own = withFiniteTtl(readOptions(options, OPTIONS))
  const { ttl = 300, loadTimeoutMs, prefix = defaultPrefixes.cache, near, sharedLoads = false } = own
  if (typeof sharedLoads !== 'boolean') {
    throw argumentError(`sharedLoads must be true or false, got ${describe(sharedLoads)}`)
  }
  if (loadTimeoutMs !== undefined) assertMilliseconds(loadTimeoutMs, 'loadTimeoutMs')
  const loads = new LoadOptions(own)
  const codec = codecOf(own.codec)
  const nativeOptions = { __proto__: null, ...own, encryption: encryptionOptions(own.encryption) }
  const timeouts = loadTimeoutMs === undefined ? LOAD_TIMEOUTS : { othersMs: loadTimeoutMs, ownMs: loadTimeoutMs }
  const make = (native) => {
    const plain = new binding.Cache(native, nativeOptions)
    const cache = codec ? codedCache(plain, codec) : plain
    claimPrefix(native, 'cache', prefix)
    const tier = near ? nearTierOn(native, cache, near, codec) : undefined
    // What is loaded for one codec is of no use to another.
    const singleFlight = singleFlightOf(native, `cache ${codec?.id ?? 'json'} ${prefix}`)
    return { native: cache, singleFlight, near: tier }
  }
  return featureOn(service, make, {
    codec,
    ttl,
    loads,
    // What a handler makes fails for reasons of one request, and where it is part of a request, it cannot be made without it.
    loadsOf: { responses: loads.without('errorTtl'), requests: loads.without('errorTtl', 'eagerRefresh') },
    timeouts,
    isNear: Boolean(near),
    isStrict: near?.mode === 'strict',
    sharedLoads,
    // Those of the store that callers did not get.
    errors: 0,
    inGrace: 0,
    // The keys of fresh values that are being replaced.
    ahead: new Set(),
  })
}

module.exports = { cachePartsOn }
