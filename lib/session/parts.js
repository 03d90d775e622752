'use strict'

const { binding } = require('../bridge.js')
const { featureOn } = require('../feature.js')
const names = require('../option-names.js')
const { readOptions } = require('../options.js')
const { claimPrefix, defaultPrefixes } = require('../prefixes.js')
const { singleFlightOf } = require('../single-flight.js')
const { cookieOptions } = require('./cookie.js')
const { encryptionOptions } = require('./encryption.js')
const { assertNear, nearTiersOn, strictly } = require('./near.js')
const { originsOf } = require('./trusted-origins.js')

const OPTIONS = { ...names.sessions, trustedOrigins: true }

/** What a new manager is made of, for the constructor of `Limitable`. */
function sessionPartsOn(service, options) {
  const own = readOptions(options, OPTIONS)
  const { prefix = defaultPrefixes.sessions, connections } = own
  const trustedOrigins = originsOf(own.trustedOrigins)
  const encryption = encryptionOptions(own.encryption)
  assertNear(own.near)
  const make = (native) => {
    const cookie = cookieOptions(own.cookie)
    const plain = new binding.Sessions(native, { __proto__: null, ...own, cookie, encryption })
    const near = own.near ? nearTiersOn(native, plain, own.near) : undefined
    claimPrefix(native, 'sessions', prefix)
    claimPrefix(native, 'connections', connections?.prefix ?? defaultPrefixes.connections)
    const singleFlight = singleFlightOf(native, `session ${prefix}`)
    const isOwnCookie = own.cookie?.name !== undefined
    const isLimited = own.maxPerUser !== undefined
    const sessions = own.near?.mode === 'strict' ? strictly(plain, isLimited) : plain
    const { absoluteTtl, rolling = false } = own
    return {
      native: sessions,
      near,
      singleFlight,
      trustedOrigins,
      cookie,
      isOwnCookie,
      isLimited,
      absoluteTtl,
      rolling,
    }
  }
  // The store's errors that callers did not get, and the validations that used `load` alone.
  return featureOn(service, make, { isNear: Boolean(own.near), errors: 0, fallbacks: 0 })
}

module.exports = { sessionPartsOn }
