'use strict'

const { CinnabarError } = require('./error.js')
const { originOf } = require('./handle.js')

// What is compared with every new one; a prefix for each of many tenants must not cost more and more.
const MOST = 1000

const known = new WeakMap()

/**
 * Throws `E_INVALID_SETTINGS` when a prefix begins with that of another cache of the service, the one with the default prefix
 * included, or the other way round: what one calls `b:c` would be what the other calls `c`. The empty prefix says that keys are
 * as they are named.
 */
function claimPrefix(handle, prefix, byDefault) {
  const origin = originOf(handle)
  let prefixes = known.get(origin)
  if (!prefixes) known.set(origin, (prefixes = new Set([byDefault])))
  if (prefix === '' || prefixes.has(prefix)) return
  for (const other of prefixes) {
    if (!other.startsWith(prefix) && !prefix.startsWith(other)) continue
    const message = `the prefixes "${prefix}" and "${other}" of two caches begin alike, so that one could reach the other's values`
    throw new CinnabarError(message, { code: 'E_INVALID_SETTINGS' })
  }
  if (prefixes.size < MOST) prefixes.add(prefix)
}

module.exports = { claimPrefix }
