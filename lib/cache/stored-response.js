'use strict'

const { TextDecoder, types } = require('node:util')

const { withBody } = require('../response-copy.js')
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
/** Control characters take up to six bytes in JSON. Text that grows by more than this is stored as base64. */
const MOST_GROWTH = 1.5

/**
 * Returns why a response must not be stored; `undefined` if it may be. `vary` has the names of the request headers that are in the key.
 */
function whyNot(response, vary, maxBytes) {
  const { status, headers } = response
  if (!STATUSES.has(status)) return 'status'
  if (response.bodyUsed || response.body?.locked) return 'body'
  if (freshnessOf(headers) === 'private') return 'cache-control'
  if (headers.has('set-cookie')) return 'set-cookie'
  const names = (headers.get('vary') ?? '').toLowerCase().split(',')
  if (names.some((name) => name.trim() !== '' && !vary.includes(name.trim()))) return 'vary'
  // An event stream ends only when its client disconnects.
  if (/^text\/event-stream\b/i.test(headers.get('content-type') ?? '')) return 'stream'
  if (Number(headers.get('content-length')) > maxBytes) return 'size'
}

/**
 * Reads a response. Resolves to `{ entry, response }`: what is stored of it, and a response with the same body. There is no entry if its body
 * has more than `maxBytes`, and no response if no caller waits for it any more.
 */
async function record(response, maxBytes, isAbandoned) {
  const chunks = []
  let length = 0
  const reader = response.body?.getReader()
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    if (!types.isUint8Array(value)) throw new TypeError('the body of a response must be bytes')
    if (isAbandoned()) {
      reader.cancel().catch(() => {})
      return {}
    }
    chunks.push(value)
    length += value.byteLength
    if (length > maxBytes) return { response: withBody(response, resumed(chunks, reader)) }
  }
  const bytes = Buffer.concat(chunks, length)
  const headers = [...response.headers].filter(([name]) => !OWN_HEADERS.has(name))
  if (!response.headers.has('etag') && response.status === 200) headers.push(['etag', etagOf(bytes)])
  const age = Number(response.headers.get('age') ?? 0)
  const storedAt = Date.now() - (age >= 0 && age < 1e9 ? age * 1000 : 0)
  const { status, statusText } = response
  const entry = { status, statusText, headers, ...bodyOf(bytes), storedAt }
  const upstream = [...response.headers].filter(([name]) => name === 'age')
  return { entry, response: restore(entry, upstream) }
}

/** Returns a stream of the chunks that were read, and of the rest of the body. */
function resumed(chunks, reader) {
  return new ReadableStream({
    async pull(controller) {
      if (chunks.length > 0) return controller.enqueue(chunks.shift())
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
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

/** Whether a value is an entry that `record` made: another program may have stored anything under the key. */
function isEntry(value) {
  if (typeof value !== 'object' || value === null || !STATUSES.has(value.status)) return false
  const isHeader = (header) => Array.isArray(header) && header.length === 2 && header.every(isString)
  const hasBody = isString(value.body) || (value.body === undefined && isString(value.base64))
  return Array.isArray(value.headers) && value.headers.every(isHeader) && hasBody && Number.isFinite(value.storedAt)
}

const isString = (value) => typeof value === 'string'

/** Makes the response of an entry, with additional headers. Throws if a header is invalid. */
function restore({ status, statusText = '', headers, body, base64 }, more) {
  const own = headers.filter(([name]) => !OWN_HEADERS.has(name.toLowerCase()))
  // As bytes, since a body that is text comes with a type.
  const bytes = body === undefined ? Buffer.from(base64, 'base64') : Buffer.from(body)
  return new Response(NO_BODY.has(status) ? null : bytes, { status, statusText, headers: [...own, ...more] })
}

module.exports = { isEntry, record, restore, whyNot }
