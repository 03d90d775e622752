'use strict'

const { bearerOf, headersIn, readSafely } = require('./request-token.js')

// Methods that change nothing, which other sites may call by a link.
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/**
 * Whether another site has a browser send this request, and it may change something or open a WebSocket: forged requests carry the user's cookie too.
 * Browsers say where a request comes from in `Sec-Fetch-Site`, older ones in `Origin`; what sends neither is no browser. A request
 * whose token is not in a cookie cannot be forged. `trusted` are origins that may send such requests, or '*'.
 */
function isCrossSiteWrite(request, trusted) {
  if (trusted === '*') return false
  const method = readSafely(() => request.method)
  if (typeof method !== 'string' || (SAFE_METHODS.has(method.toUpperCase()) && !opensWebSocket(request))) return false
  const values = headersIn(request)
  if (!values || bearerOf(values)) return false
  const [site] = values('sec-fetch-site')
  const [origin] = values('origin')
  if (site === 'same-origin' || site === 'none') return false
  if (site === undefined && (origin === undefined || hostOf(origin) === hostIn(request, values))) return false
  return origin === undefined || !trusted.includes(origin)
}

// The page that opens one can read and send what the user can, and browsers let every site do so.
function opensWebSocket(request) {
  // All names are in lower case in a request of Node.js, which is faster to read.
  const isOfNode = readSafely(() => typeof request.httpVersion === 'string')
  const texts = isOfNode ? [readSafely(() => request.headers.upgrade)] : headersIn(request)?.('upgrade')
  return texts?.some((text) => typeof text === 'string' && text.toLowerCase() === 'websocket') ?? false
}

function hostIn(request, values) {
  // HTTP/2 has another name for it.
  const host = values('host').find((text) => text !== '') ?? readSafely(() => request.authority)
  // A fetch Request that no server has received has its host in its URL only.
  return host?.toLowerCase() ?? readSafely(() => new URL(request.url).host)
}

// `null` is the origin of sandboxed frames and files, and has no host: it is equal to none.
function hostOf(origin) {
  return readSafely(() => new URL(origin).host) || NaN
}

module.exports = { isCrossSiteWrite }
