'use strict'

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

/** The response headers that tell a client where it stands with a limit. */
function limitHeaders(result, limit = result?.limit) {
  if (typeof result?.allowed !== 'boolean') throw argumentError('headers takes what checkRateLimit answered')
  const headers = {
    'X-RateLimit-Limit': String(limit),
    'X-RateLimit-Remaining': String(result.remaining),
  }
  if (Number.isFinite(result.resetTime)) headers['X-RateLimit-Reset'] = String(Math.ceil(result.resetTime / 1000))
  if (!result.allowed) {
    // Whole seconds, rounded up, at least one: a client that waits this long is not refused for coming early.
    headers['Retry-After'] = String(Math.max(1, Math.ceil(((result.resetTime ?? 0) - Date.now()) / 1000)))
  }
  return headers
}

/** The key that limits one address on one route, for `checkLimit`. */
function routeKey(ip, endpoint) {
  for (const [name, value] of Object.entries({ ip, endpoint })) {
    if (typeof value !== 'string' || value === '') {
      throw argumentError(`${name} must be a string that is not empty, got ${describe(value)}`)
    }
  }
  // An address may hold colons, so the route must not: the last colon is then always the one between them.
  const route = endpoint.replaceAll('%', '%25').replaceAll(':', '%3A')
  return `ratelimit:${ip}:${route}`
}

module.exports = { limitHeaders, routeKey }
