'use strict'

// When a response of `fetch()` is garbage-collected unread, undici cancels its body, even if another response uses that body. So it is kept.
const originals = new WeakMap()

/** Whether a value is a response, of any realm or library. */
function isResponse(value) {
  return Number.isInteger(value?.status) && typeof value.headers?.get === 'function'
}

/**
 * Returns a response with the same body, whose headers can be changed. Throws for `Response.error()`, for what is not a response, and if the body has
 * been read.
 */
function copyOfResponse(response, headers = new Headers(response.headers)) {
  if (!isResponse(response)) throw new TypeError('it is not a response')
  const { status, statusText, body } = response
  // The `Response` of @hono/node-server forgets what is added to its headers before its body is asked for, so they are given at once.
  const copy = new Response(body, { status, statusText, headers })
  if (copy.body !== null) originals.set(copy.body, response)
  return copy
}

/** A response with the same fields and another body. */
function withBody({ status, statusText, headers }, body) {
  return new Response(body, { status, statusText, headers })
}

module.exports = { copyOfResponse, isResponse, withBody }
