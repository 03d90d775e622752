'use strict'

const { binding } = require('../bridge.js')
const { argumentError } = require('../error.js')
const { describe } = require('../options.js')

/**
 * Returns the key that limits one address on one route, for use with a limiter of this prefix. Both may come from untrusted input:
 * no two pairs share a key, braces cannot force keys into one cluster slot, and long parts are hashed.
 */
function routeKey(ip, endpoint, prefix = '') {
  for (const [name, value] of Object.entries({ ip, endpoint })) {
    if (typeof value !== 'string') throw argumentError(`${name} must be a string, got ${describe(value)}`)
  }
  return prefix + binding.Keys.routeKey(ip, endpoint)
}

module.exports = { routeKey }
