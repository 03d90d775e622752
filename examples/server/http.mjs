// The parts of HTTP that every route needs: a JSON body in, JSON out, and errors that carry a status.

import { clientIp } from '../../index.js'

const MAX_BODY_BYTES = 8 * 1024

/** An error with a status, a code and a message for people. */
export class HttpError extends Error {
  constructor(status, code, message) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** Sends a value as JSON. */
export function send(response, status, value, headers = {}) {
  const text = JSON.stringify(value)
  response.writeHead(status, {
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': Buffer.byteLength(text),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  })
  response.end(response.req.method === 'HEAD' ? undefined : text)
}

/** Reads a JSON object of at most 8 KB; no body reads as `{}`. */
export async function readJson(request) {
  const chunks = []
  let size = 0
  // Leaving the loop early must not destroy the request: the error response uses the same socket.
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length
    if (size > MAX_BODY_BYTES) throw new HttpError(413, 'too_large', 'That is too long.')
    chunks.push(chunk)
  }
  if (size === 0) return {}
  // Other sites' forms cannot send this type, so a browser asks before it lets them.
  if (!/^application\/json\b/i.test(request.headers['content-type'] ?? '')) {
    throw new HttpError(415, 'not_json', 'Send the body as application/json.')
  }
  let value
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new HttpError(400, 'bad_json', 'The body is not valid JSON.')
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new HttpError(400, 'bad_json', 'The body must be a JSON object.')
  }
  return value
}

/** The client's address, behind so many proxies of your own. */
export function clientOf(request, trustedProxies = 0) {
  return clientIp(request, { trustedProxies }) ?? 'unknown'
}

/** Returns a field of a body as trimmed text; throws if it is missing or longer than `max` characters. */
export function requireText(body, field, max) {
  const value = body[field]
  if (typeof value !== 'string' || value.trim() === '') throw new HttpError(400, 'bad_input', `Give a ${field}.`)
  const text = value.trim()
  // An emoji counts as one character.
  const length = [...new Intl.Segmenter().segment(text)].length
  if (length > max)
    throw new HttpError(400, 'bad_input', `The ${field} may have ${max} characters; this has ${length}.`)
  return text
}

const STATUSES = { E_INVALID_ARGUMENT: 400, E_CROSS_SITE: 403, E_CONFLICT: 409 }

const WORDS = {
  E_UNAVAILABLE: (why) => `Redis is unreachable: ${why}. Start it, then try again.`,
  E_NOT_SENT: (why) => `Redis is unreachable: ${why}. Try again.`,
  E_TIMEOUT: () => 'Redis is unreachable: it did not reply in time. Try again.',
  E_AUTH: (why) => `Redis refuses this: ${why}. Check the user and the password in REDIS_URL.`,
  E_MAYBE_APPLIED: () => 'The connection was lost before the reply: the change may or may not have been made.',
  E_CLOSED: () => 'The example is stopping.',
  E_OUT_OF_MEMORY: () => 'Redis has no memory left for this.',
}

/** Returns the status, code and message for an exception. */
export function describe(error) {
  if (error instanceof HttpError) return error
  if (error?.name === 'CinnabarError') {
    const status = STATUSES[error.code] ?? (error.code in WORDS ? 503 : 500)
    return { status, code: error.code, message: WORDS[error.code]?.(error.message) ?? error.message }
  }
  if (error?.name === 'AbortError') return { status: 503, code: 'stopping', message: WORDS.E_CLOSED() }
  console.error(error)
  return { status: 500, code: 'internal', message: 'Something went wrong on the server.' }
}
