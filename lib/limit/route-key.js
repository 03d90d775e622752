'use strict'

const { argumentError } = require('../error.js')
const { describe } = require('../options.js')

// Longer parts of a key are hashed, because the store keeps the key for a whole window. So are strings that are not
// well-formed.
const LONGEST = 512

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

module.exports = { routeKey }
