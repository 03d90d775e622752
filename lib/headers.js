'use strict'

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

// Longer parts of a key are hashed, because the store keeps the key for a whole window. So are strings that are not
// well-formed.
const LONGEST = 512

/** The response headers that describe a rate-limit result to the client. */
function limitHeaders(checked, given) {
  // A copy without a prototype, since one built by hand may lack what `Object.prototype` may have been polluted with.
  const result = { __proto__: null, ...checked }
  if (typeof result.allowed !== 'boolean') throw argumentError('headers takes the result of checkRateLimit')
  const { remaining } = result
  const limit = given === undefined ? result.limit : given
  if (!Number.isFinite(remaining)) throw argumentError(`remaining must be a number, got ${describe(remaining)}`)
  const headers = {}
  if (limit !== undefined) {
    if (!Number.isFinite(limit)) throw argumentError(`limit must be a number, got ${describe(limit)}`)
    headers['X-RateLimit-Limit'] = String(limit)
  }
  headers['X-RateLimit-Remaining'] = String(remaining)
  if (Number.isFinite(result.resetTime)) headers['X-RateLimit-Reset'] = String(Math.ceil(result.resetTime / 1000))
  if (!result.allowed) {
    // Whole seconds, rounded up, at least one, so that a client that waits this long is not too early.
    headers['Retry-After'] = String(Math.max(1, Math.ceil(waitOf(result) / 1000)))
  }
  return headers
}

// Prefers the time computed by the store, whose clock may differ from ours. Only a result built by hand may lack it.
function waitOf({ retryAfterMs, resetTime }) {
  return Number.isFinite(retryAfterMs) ? retryAfterMs : (resetTime ?? 0) - Date.now()
}

/**
 * The key that limits one address on one route, for use with a limiter of this prefix. Both may come from untrusted input: no
 * two pairs share a key, braces cannot force keys into one cluster slot, and long parts are hashed.
 */
function routeKey(ip, endpoint, prefix = '') {
  for (const [name, value] of Object.entries({ ip, endpoint })) {
    if (typeof value !== 'string') throw argumentError(`${name} must be a string, got ${describe(value)}`)
  }
  // An address may contain colons, so they are escaped in the route: the last colon always separates the two. Only keys of this
  // form are route keys to crates/core/src/keys/route.rs.
  const address = shortened(ip.replace(/%(?=25|7[bd]|sha256%)/gi, '%25').replace(/[{}]/g, encodeURIComponent))
  return `${prefix}ratelimit:${address}:${shortened(endpoint.replace(/[%:{}]/g, encodeURIComponent))}`
}

function shortened(text) {
  if (text.length <= LONGEST && !/\p{Surrogate}/u.test(text)) return text
  // Required lazily, because it is rarely needed.
  return `%sha256%${require('node:crypto').createHash('sha256').update(text, 'utf16le').digest('hex')}`
}

module.exports = { limitHeaders, routeKey }
