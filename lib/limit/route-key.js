'use strict'

const { binding } = require('../bridge.js')
const { argumentError } = require('../error.js')
const { describe } = require('../options.js')

/**
 * Returns the key that limits one address on one route, for use with a limiter of this prefix. Both may come from untrusted input:
 * no two pairs share a key, braces cannot force keys into one cluster slot, and long parts are hashed.
 */
function routeKey(ip, endpoint, prefix = '') {
  if (typeof ip !== 'string') throw notText('ip', ip)
  if (typeof endpoint !== 'string') throw notText('endpoint', endpoint)
  return prefix + binding.Keys.routeKey(ip, endpoint)
}

function notText(name, value) {
  return argumentError(`${name} must be a string, got ${describe(value)}`)
}

module.exports = { routeKey }
