'use strict'

const { createHash } = require('node:crypto')
const { TextDecoder } = require('node:util')

// A body of any bytes as JSON: text where it is UTF-8, otherwise base64.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Statuses of responses that others may get too. */
const STATUSES = new Set([200, 203, 204, 301, 308])
const NO_BODY = new Set([204])
/** What is about one connection or one request, or is said anew for each response. */
const OWN_HEADERS = new Set([
  'age',
  'cache-status',
  'connection',
  'content-length',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])
const PRIVATE = /(?:^|[\s,])(?:private|no-store|no-cache)(?:[\s,=]|$)/i

/** Why a response may not be stored for others; `undefined` if it may. `vary` has the names of request headers that are in the key. */
function whyNot(response, vary) {
  if (!STATUSES.has(response.status)) return 'status'
  if (response.bodyUsed) return 'body'
  if (PRIVATE.test(response.headers.get('cache-control') ?? '')) return 'cache-control'
  if (response.headers.has('set-cookie')) return 'set-cookie'
  const names = (response.headers.get('vary') ?? '').toLowerCase().split(',')
  if (names.some((name) => name.trim() !== '' && !vary.includes(name.trim()))) return 'vary'
}

/**
 * Reads a response. Resolves to `{ entry, response }`: what is stored of it, `undefined` if its body has more than `maxBytes`, and a
 * response with the same body.
 */
async function record(response, maxBytes) {
  const chunks = []
  let length = 0
  const reader = response.body?.getReader()
  while (reader) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    length += value.byteLength
    if (length > maxBytes) return { response: new Response(resumed(chunks, reader), response) }
  }
  const bytes = Buffer.concat(chunks, length)
  const headers = [...response.headers].filter(([name]) => !OWN_HEADERS.has(name))
  if (!response.headers.has('etag') && response.status === 200) headers.push(['etag', etagOf(bytes)])
  const entry = { status: response.status, headers, ...textOf(bytes), storedAt: Date.now() }
  return { entry, response: restore(entry) }
}

/** The chunks that were read, and what follows them. */
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

function textOf(bytes) {
  try {
    return { body: utf8.decode(bytes) }
  } catch {
    return { base64: bytes.toString('base64') }
  }
}

function etagOf(bytes) {
  return `"${createHash('sha256').update(bytes).digest('base64url')}"`
}

/** Whether something is what `record` stores: another program may have stored anything under the key. */
function isEntry(value) {
  if (typeof value !== 'object' || value === null || !STATUSES.has(value.status)) return false
  const isHeader = (header) => Array.isArray(header) && header.length === 2 && header.every(isString)
  const hasBody = isString(value.body) || isString(value.base64)
  return Array.isArray(value.headers) && value.headers.every(isHeader) && hasBody && Number.isFinite(value.storedAt)
}

const isString = (value) => typeof value === 'string'

/** The response of an entry. Throws for headers that no response can have. */
function restore({ status, headers, body, base64 }) {
  const bytes = NO_BODY.has(status) ? null : (body ?? Buffer.from(base64, 'base64'))
  const response = new Response(bytes, { status })
  // Set first, since a body that is text comes with a type.
  response.headers.delete('content-type')
  for (const [name, value] of headers) response.headers.append(name, value)
  return response
}

module.exports = { isEntry, record, restore, whyNot }
