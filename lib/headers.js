'use strict'

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

// Longer parts of a key are hashed, since it is kept for as long as a window lasts; so is what has no UTF-8.
const LONGEST = 512

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
    headers['Retry-After'] = String(Math.max(1, Math.ceil(waitOf(result) / 1000)))
  }
  return headers
}

// As the store says it: its clock need not be this process's. Only a result that somebody made by hand may not have it.
function waitOf({ retryAfterMs, resetTime }) {
  return Number.isFinite(retryAfterMs) ? retryAfterMs : (resetTime ?? 0) - Date.now()
}

/**
 * The key that limits one address on one route, for every call of a limiter with this prefix. Either may come from a stranger:
 * no two pairs have one key, none makes a cluster keep all addresses in one slot, and a long route is hashed.
 */
function routeKey(ip, endpoint, prefix = '') {
  for (const [name, value] of Object.entries({ ip, endpoint })) {
    if (typeof value !== 'string') throw argumentError(`${name} must be a string, got ${describe(value)}`)
  }
  // An address may hold colons, so the route must not: the last colon is then always the one between them.
  const address = shortened(ip.replace(/%(?=25|7[bd])/gi, '%25').replace(/[{}]/g, encodeURIComponent))
  return `${prefix}ratelimit:${address}:${shortened(endpoint.replace(/[%:{}]/g, encodeURIComponent))}`
}

function shortened(text) {
  if (text.length <= LONGEST && !/\p{Surrogate}/u.test(text)) return text
  // Loaded here, because it is seldom needed.
  return `%sha256%${require('node:crypto').createHash('sha256').update(text, 'utf16le').digest('hex')}`
}

module.exports = { limitHeaders, routeKey }
