'use strict'

const { CinnabarError } = require('./error.js')
const { originOf } = require('./handle.js')

// Every new prefix is compared with at most this many, so that one prefix per tenant does not get slower and slower.
const MOST = 1000

const known = new WeakMap()

/**
 * Throws `E_INVALID_SETTINGS` if a prefix starts with that of another cache of the service, including the default one, or the
 * other way round: the key `b:c` of one would be the key `c` of the other. The empty prefix is exempt: its keys are used as given.
 */
function claimPrefix(handle, prefix, byDefault) {
  const origin = originOf(handle)
  let prefixes = known.get(origin)
  if (!prefixes) known.set(origin, (prefixes = new Set([byDefault])))
  if (prefix === '' || prefixes.has(prefix)) return
  for (const other of prefixes) {
    if (!other.startsWith(prefix) && !prefix.startsWith(other)) continue
    const message = `the cache prefixes "${prefix}" and "${other}" overlap, so one cache could access the other's values; choose prefixes of which neither starts with the other`
    throw new CinnabarError(message, { code: 'E_INVALID_SETTINGS' })
  }
  if (prefixes.size < MOST) prefixes.add(prefix)
}

module.exports = { claimPrefix }
