'use strict'

const { argumentError } = require('../error.js')
const { describe, ownOptions } = require('../options.js')
const { ietfHeaders } = require('./ietf-headers.js')

const HEADER_OPTIONS = ['limit', 'draft', 'name', 'windowSeconds']

/**
 * The response headers that describe a rate-limit result to the client: those that begin with `X-RateLimit-` and, given options, those of
 * the IETF.
 */
function limitHeaders(checked, given) {
  if (typeof given !== 'object' || given === null) return legacyHeaders(checked, given)
  const { limit, ...form } = ownOptions(given, HEADER_OPTIONS)
  const result = readable(checked)
  const headers = legacyHeaders(result, limit)
  const seconds = Number(headers['Retry-After'] ?? secondsIn(result.allowed ? untilReset(result) : Infinity))
  return { ...ietfHeaders({ limit: limit ?? result.limit, remaining: result.remaining, seconds }, form), ...headers }
}

function legacyHeaders(checked, given) {
  // A copy without a prototype, since one built by hand may lack what `Object.prototype` may have been polluted with.
  const result = { __proto__: null, ...readable(checked) }
  if (typeof result.allowed !== 'boolean') throw argumentError('headers takes the result of checkRateLimit')
  const { remaining } = result
  const limit = given === undefined ? result.limit : given
  assertNumber(remaining, 'remaining')
  for (const name of ['resetTime', 'retryAfterMs']) if (result[name] != null) assertNumber(result[name], name)
  const headers = {}
  if (limit !== undefined) {
    assertNumber(limit, 'limit')
    if (limit !== Infinity) headers['X-RateLimit-Limit'] = wholeText(Math.floor(limit))
  }
  if (remaining !== Infinity) headers['X-RateLimit-Remaining'] = wholeText(Math.floor(remaining))
  if (Number.isFinite(result.resetTime)) headers['X-RateLimit-Reset'] = wholeText(Math.ceil(result.resetTime / 1000))
  // Never is no time to come back.
  if (!result.allowed && waitOf(result) !== Infinity) {
    // Whole seconds, rounded up, at least one, so that a client that waits this long is not too early.
    headers['Retry-After'] = wholeText(Math.max(1, secondsIn(waitOf(result))))
  }
  return headers
}

// A proxy or a getter may throw.
function readable(checked) {
  try {
    return { ...checked }
  } catch (error) {
    throw argumentError('the result could not be read', error)
  }
}

function assertNumber(value, name) {
  if (Number.isFinite(value) || value === Infinity) return
  throw argumentError(`${name} must be a number, got ${describe(value)}`)
}

// A result that was made by hand may have any number, which would have a sign or an exponent.
function wholeText(whole) {
  return String(Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, whole)))
}

// Prefers the time computed by the store, whose clock may differ from ours. Only a result built by hand may lack it.
function waitOf({ retryAfterMs, resetTime }) {
  return retryAfterMs != null ? retryAfterMs : (resetTime ?? 0) - Date.now()
}

function untilReset({ resetMs, resetTime }) {
  return resetMs ?? (resetTime === undefined ? Infinity : resetTime - Date.now())
}

function secondsIn(ms) {
  return Math.max(0, Math.ceil(ms / 1000))
}

module.exports = { HEADER_OPTIONS, limitHeaders, readable }
