'use strict'

// undici cancels the body of a response of `fetch()` that is collected before it was read, also if another response has that body by then.
const originals = new WeakMap()

/**
 * A response with the same body and other headers, by default a copy of its own. Throws for `Response.error()`, and if its body has been read.
 */
function copyOfResponse(response, headers = new Headers(response.headers)) {
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

module.exports = { copyOfResponse, withBody }
