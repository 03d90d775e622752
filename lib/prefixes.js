'use strict'

const { binding } = require('./bridge.js')
const { CinnabarError } = require('./error.js')
const { unlimited, storeIdOf } = require('./native-service.js')

// Every new prefix is compared with at most this many of a service, so that one prefix per tenant does not get slower and slower.
const MOST = 1000

/** By feature: what its keys begin with unless an option says otherwise. `images` begins the names of images in a cache. */
const defaultPrefixes = binding.Keys.defaultPrefixes()

// The default prefixes are claimed whether or not their features are used, so that the order of two lines does not decide which of
// them is rejected. Queues are not among them: all their keys have braces, and end as no other feature's do.
const FEATURES = ['sessions', 'connections', 'cache', 'limiter', 'routes', 'locks', 'rooms']
const DEFAULTS = new Map(FEATURES.map((feature) => [defaultPrefixes[feature], feature]))

// By native service: its prefixes, each with its feature.
const claims = new WeakMap()
// By store: the services that use it.
const services = new Map()
const inUse = new WeakSet()

/**
 * Throws `E_INVALID_SETTINGS` if one of two prefixes on the same store starts with the other: the key `b:c` of one would be the key
 * `c` of the other, and identifiers come from outside. Objects of one feature with the same prefix are meant to share their keys.
 * The empty prefix is exempt: its identifiers are keys as they are.
 */
function claimPrefix(native, feature, prefix) {
  // Whatever overlaps with a default prefix was rejected already.
  if (prefix === '' || DEFAULTS.get(prefix) === feature) return
  const origin = unlimited(native)
  let own = claims.get(origin)
  if (!own) claims.set(origin, (own = new Map()))
  if (inUse.has(origin) && own.get(prefix) === feature) return
  assertApart([[prefix, feature]], [...DEFAULTS, ...own, ...claimsBeside(origin)])
  if (own.size < MOST) own.set(prefix, feature)
  use(origin)
}

/** Claims again what a disconnected service had claimed, for one that connects again. Throws as `claimPrefix` does. */
function reclaimPrefixes(native) {
  const origin = unlimited(native)
  const own = claims.get(origin)
  if (!own || inUse.has(origin)) return
  assertApart(own, [...claimsBeside(origin)])
  use(origin)
}

/** Lets other services use what a disconnected one had claimed. */
function releasePrefixes(native) {
  inUse.delete(native)
  for (const [storeId, all] of services) {
    for (const ref of all) if ((ref.deref() ?? native) === native) all.delete(ref)
    if (all.size === 0) services.delete(storeId)
  }
}

function assertApart(own, others) {
  for (const [prefix, feature] of own) {
    for (const [other, otherFeature] of others) {
      const overlap = other.startsWith(prefix) || prefix.startsWith(other)
      if (!overlap || (other === prefix && otherFeature === feature)) continue
      throw overlapping(feature, prefix, otherFeature, other)
    }
  }
}

function* claimsBeside(origin) {
  for (const ref of services.get(storeIdOf(origin)) ?? []) {
    const service = ref.deref()
    if (service && service !== origin) yield* claims.get(service)
  }
}

function use(origin) {
  if (inUse.has(origin)) return
  inUse.add(origin)
  const storeId = storeIdOf(origin)
  let all = services.get(storeId)
  if (!all) services.set(storeId, (all = new Set()))
  for (const ref of all) if (!ref.deref()) all.delete(ref)
  all.add(new WeakRef(origin))
}

function overlapping(feature, prefix, otherFeature, other) {
  const message =
    `the prefix "${prefix}" (${feature}) overlaps "${other}" (${otherFeature}), so a key of one could be a key of the other; ` +
    'choose prefixes of which neither starts with the other'
  return new CinnabarError(message, { code: 'E_INVALID_SETTINGS' })
}

module.exports = { claimPrefix, defaultPrefixes, reclaimPrefixes, releasePrefixes }
