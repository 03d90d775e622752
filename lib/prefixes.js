'use strict'

const { CinnabarError } = require('./error.js')
const { originOf } = require('./handle.js')

// Every new prefix is compared with at most this many of a service, so that one prefix per tenant does not get slower and slower.
const MOST = 1000

// What the keys of each feature begin with unless an option says otherwise. They are taken whether or not the feature is used, so
// that it does not depend on the order of two lines which of them is refused. Queues are not among them: all their keys have
// braces, and end as no other feature's do.
const DEFAULTS = [
  ['sessions', 'session:'],
  ['cache', 'api:'],
  ['limiter', 'rate_limit:'],
  ['routes', 'ratelimit:'],
  ['locks', 'lock:'],
  ['rooms', 'room:'],
]

// By native service: its prefixes, each with its feature.
const claims = new WeakMap()
// By place: the services in use there.
const services = new Map()

/**
 * Throws `E_INVALID_SETTINGS` if one of two prefixes on the same store starts with the other: the key `b:c` of one would be the key
 * `c` of the other, and identifiers come from outside. Objects of one feature with the same prefix are meant to share their keys.
 * The empty prefix is exempt: its identifiers are keys as they are.
 */
function claimPrefix(handle, feature, prefix) {
  // Whatever overlaps with a default prefix was refused already.
  if (prefix === '' || DEFAULTS.some(([owner, usual]) => owner === feature && usual === prefix)) return
  const origin = originOf(handle)
  let own = claims.get(origin)
  if (!own) claims.set(origin, (own = new Map()))
  if (own.get(prefix) === feature) return
  const place = JSON.stringify(origin.describe())
  for (const [otherFeature, other] of [...DEFAULTS, ...claimsAt(place, origin)]) {
    const overlap = other.startsWith(prefix) || prefix.startsWith(other)
    if (!overlap || (other === prefix && otherFeature === feature)) continue
    throw overlapping(feature, prefix, otherFeature, other)
  }
  if (own.size < MOST) own.set(prefix, feature)
}

function* claimsAt(place, origin) {
  let all = services.get(place)
  if (!all) services.set(place, (all = new Set()))
  let isKnown = false
  for (const ref of all) {
    const service = ref.deref()
    if (!service) all.delete(ref)
    else isKnown ||= service === origin
    for (const [prefix, feature] of claims.get(service) ?? []) yield [feature, prefix]
  }
  if (!isKnown) {
    all.add(new WeakRef(origin))
    for (const [prefix, feature] of claims.get(origin)) yield [feature, prefix]
  }
}

function overlapping(feature, prefix, otherFeature, other) {
  const message =
    `the prefix "${prefix}" (${feature}) overlaps "${other}" (${otherFeature}), so a key of one could be a key of the other; ` +
    'choose prefixes of which neither starts with the other'
  return new CinnabarError(message, { code: 'E_INVALID_SETTINGS' })
}

/** Lets other services use what a disconnected one had claimed. */
function releasePrefixes(handle) {
  for (const [place, all] of services) {
    for (const ref of all) if ((ref.deref() ?? handle) === handle) all.delete(ref)
    if (all.size === 0) services.delete(place)
  }
}

module.exports = { claimPrefix, releasePrefixes }
