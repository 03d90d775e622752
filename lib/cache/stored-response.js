'use strict'

const { TextDecoder } = require('node:util')

const { revalidated } = require('./conditional.js')
const { freshnessOf } = require('./freshness.js')

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The statuses of responses that may be shared. */
const STATUSES = new Set([200, 203, 204, 301, 308])
const NO_BODY = new Set([204])
/** Headers about one connection or one request, and those that are set again for each response. */
const OWN_HEADERS = new Set([
  'age',
  'cache-status',
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/
/** What can be sent, by the rules of Node.js. */
const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/
/** Control characters take up to six bytes in JSON. Text that grows by more than this is stored as base64. */
const MOST_GROWTH = 1.5
/** The name of this cache in the header `Cache-Status` (RFC 9211). */
const CACHE = 'cinnabar'

/** Whether a response is for one client, by its final headers: what has set them may not have been in front of this cache. */
function isPrivate(headers) {
  return headers.has('set-cookie') || freshnessOf(headers) === 'private'
}

/**
 * Returns why a response must not be stored; `undefined` if it may be. `vary` has the names of the request headers that are in the key.
 */
function whyNot({ status, headers }, vary, maxBytes) {
  if (!STATUSES.has(status)) return 'status'
  if (freshnessOf(headers) === 'private') return 'cache-control'
  if (headers.has('set-cookie')) return 'set-cookie'
  const names = (headers.get('vary') ?? '').toLowerCase().split(',')
  if (names.some((name) => name.trim() !== '' && !vary.includes(name.trim()))) return 'vary'
  // An event stream ends only when its client disconnects.
  if (/^text\/event-stream\b/i.test(headers.get('content-type') ?? '')) return 'stream'
  if (Number(headers.get('content-length')) > maxBytes) return 'size'
}

/**
 * Returns what is stored of a response with a body of these bytes. `outer` has the headers of which some were set before the handler was called,
 * for this request alone: they are not stored unless the handler has changed them.
 */
function entryOf({ status, statusText, headers }, bytes, outer) {
  const isOwn = ([name, value]) => !OWN_HEADERS.has(name) && outer?.get(name) !== value
  const pairs = [...headers].filter(isOwn)
  if (!headers.has('etag') && status === 200) pairs.push(['etag', etagOf(bytes)])
  const age = Number(headers.get('age') ?? 0)
  const storedAt = Date.now() - (age >= 0 && age < 1e9 ? age * 1000 : 0)
  return { status, statusText, headers: pairs, ...bodyOf(bytes), storedAt }
}

/** A body as a part of JSON: text where it is UTF-8, otherwise base64. */
function bodyOf(bytes) {
  try {
    const body = utf8.decode(bytes)
    if (JSON.stringify(body).length <= bytes.length * MOST_GROWTH + 2) return { body }
  } catch {
    // The body is not UTF-8.
  }
  return { base64: bytes.toString('base64') }
}

function etagOf(bytes) {
  return `"${require('node:crypto').createHash('sha256').update(bytes).digest('base64url')}"`
}

/** Whether a value is an entry like those of `entryOf`, which can be sent: another program may have stored anything under the key. */
function isEntry(value) {
  if (typeof value !== 'object' || value === null || !STATUSES.has(value.status)) return false
  const hasBody = isString(value.body) || (value.body === undefined && isString(value.base64))
  const isSendable = Array.isArray(value.headers) && value.headers.every(isHeader) && isValue(value.statusText ?? '')
  return isSendable && hasBody && Number.isFinite(value.storedAt)
}

const isString = (value) => typeof value === 'string'
const isValue = (value) => isString(value) && HEADER_VALUE.test(value)
const isHeader = (header) =>
  Array.isArray(header) &&
  header.length === 2 &&
  isString(header[0]) &&
  HEADER_NAME.test(header[0]) &&
  isValue(header[1])

/** Returns the response of an entry as `{ status, statusText, headers, body }`, with additional headers. */
function restore({ status, statusText = '', headers, body, base64 }, more) {
  const own = headers.filter(([name]) => !OWN_HEADERS.has(name.toLowerCase()))
  // As bytes, since a body that is text comes with a type.
  const bytes = body === undefined ? Buffer.from(base64, 'base64') : Buffer.from(body)
  return { status, statusText, headers: [...own, ...more], body: NO_BODY.has(status) ? null : bytes }
}

/** Returns the response to a request that was stored as this entry, as `restore` does; `undefined` if the value is not an entry. */
function hit(asked, entry) {
  if (!isEntry(entry)) return undefined
  const age = Math.min(Math.max(0, Math.floor((Date.now() - entry.storedAt) / 1000)), 2 ** 31)
  const headers = [
    ['age', String(age)],
    ['cache-status', `${CACHE}; hit`],
  ]
  return revalidated(asked, restore(entry, headers))
}

module.exports = { CACHE, HEADER_NAME, entryOf, etagOf, hit, isPrivate, restore, whyNot }
