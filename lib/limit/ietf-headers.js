'use strict'

const { argumentError } = require('../error.js')
const { describe, describeNumber } = require('../options.js')

// By draft-ietf-httpapi-ratelimit-headers: how the fields are written.
const FORMS = { 6: separateFields, 7: oneField, 8: namedItems, 9: namedItems, 10: namedItems, 11: namedItems }
const DRAFTS = [...Object.keys(FORMS).map(Number), 'legacy']
const NEWEST = 11
// Of an integer in RFC 9651.
const LARGEST = 999_999_999_999_999

/** The fields `RateLimit` and `RateLimit-Policy`, in the form of a draft. A limit that allows everything has none. */
function ietfHeaders({ limit, remaining, seconds }, { draft = NEWEST, name = 'default', windowSeconds }) {
  if (!DRAFTS.includes(draft))
    throw argumentError(`draft must be one of ${DRAFTS.join(', ')}, got ${describeDraft(draft)}`)
  assertName(name)
  if (windowSeconds !== undefined && !(Number.isFinite(windowSeconds) && windowSeconds > 0))
    throw argumentError(`windowSeconds must be a number of seconds above 0, got ${describeNumber(windowSeconds)}`)
  if (draft === 'legacy' || !Number.isFinite(limit) || !Number.isFinite(remaining)) return {}
  return FORMS[draft]({
    limit: within(Math.floor(limit)),
    remaining: within(Math.floor(remaining)),
    seconds: Number.isFinite(seconds) ? within(seconds) : undefined,
    window: windowSeconds === undefined ? undefined : within(Math.ceil(windowSeconds)),
    name,
  })
}

function within(whole) {
  return Math.min(LARGEST, Math.max(0, whole))
}

function namedItems({ limit, remaining, seconds, window, name }) {
  return {
    'RateLimit-Policy': `${quoted(name)};q=${limit}${window === undefined ? '' : `;w=${window}`}`,
    RateLimit: `${quoted(name)};r=${remaining}${seconds === undefined ? '' : `;t=${seconds}`}`,
  }
}

// The older drafts require the window and the time, so that a field which lacks it is left out.
function oneField({ limit, remaining, seconds, window }) {
  return {
    ...policyOf(limit, window),
    ...(seconds !== undefined && { RateLimit: `limit=${limit}, remaining=${remaining}, reset=${seconds}` }),
  }
}

function separateFields({ limit, remaining, seconds, window }) {
  return {
    ...policyOf(limit, window),
    'RateLimit-Limit': String(limit),
    'RateLimit-Remaining': String(remaining),
    ...(seconds !== undefined && { 'RateLimit-Reset': String(seconds) }),
  }
}

function policyOf(limit, window) {
  return window === undefined ? {} : { 'RateLimit-Policy': `${limit};w=${window}` }
}

// A string of RFC 9651 has printable ASCII only.
function assertName(name) {
  if (typeof name !== 'string') throw argumentError(`name must be a string, got ${describe(name)}`)
  if (!/^[\x20-\x7e]{1,256}$/.test(name)) throw argumentError('name must have 1 to 256 printable characters of ASCII')
}

function quoted(name) {
  return `"${name.replace(/["\\]/g, '\\$&')}"`
}

function describeDraft(draft) {
  return typeof draft === 'number' ? String(draft) : describe(draft)
}

module.exports = { assertName, ietfHeaders }
