'use strict'

const { captureResponse } = require('./capture-response.js')
const { askedBy } = require('./conditions.js')
const { MISS, storedFor } = require('./fetch-cache.js')
const { markWhenSent, toSet } = require('./node-headers.js')
const { keyOf } = require('./response-options.js')
const { ClientLeftError, takeTurn } = require('./take-turn.js')

/**
 * Responds to a request of Node.js with what is stored, or calls `next()`. Resolves to a function to call, with nothing left to catch its errors,
 * unless it has responded or the handler has been called.
 */
async function respondTo(own, request, response, next) {
  if (response.headersSent || response.writableEnded) return next
  const pass = (status) => () => {
    markWhenSent(response, status)
    next()
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return pass('fwd=method')
  const asked = askedBy(request)
  const key = await keyOf(own, asked, () => resourceOf(request), [request])
  if (key === undefined) return pass('fwd=bypass')
  if (request.method === 'HEAD') return sent(response, await storedFor(own, key, asked), true) ? undefined : pass(MISS)
  const lead = () => {
    if (response.destroyed) throw new ClientLeftError()
    const captured = captureResponse(own, request, asked, response)
    try {
      next()
    } catch (error) {
      // A server that calls `next` expects it to report errors itself, so this one is its own.
      process.nextTick(() => {
        throw error
      })
    }
    return captured
  }
  const { isLeading, found } = await takeTurn(own, key, asked, [request], lead)
  return isLeading || sent(response, found) ? undefined : pass(MISS)
}

/** What a request is about: whatever a framework derives from the headers of a proxy is a part of it, since redirections depend on that. */
function resourceOf(request) {
  const { authority, headers, socket } = request
  const protocol = request.protocol ?? (socket?.encrypted ? 'https' : 'http')
  return [protocol, request.hostname, authority ?? headers.host, request.originalUrl ?? request.url]
}

/** Sends a stored response, if there is one. Returns whether there is nothing left to do. */
function sent(response, found, isHead) {
  // Something else has responded meanwhile, such as a timeout.
  if (response.headersSent || response.destroyed) return true
  if (found === undefined) return false
  const { status, body } = found
  response.statusCode = status
  for (const [name, value] of toSet(found, response)) response.setHeader(name, value)
  if (body !== null) response.setHeader('Content-Length', body.length)
  if (body === null || isHead) response.end()
  else response.end(body)
  return true
}

module.exports = { resourceOf, respondTo }
