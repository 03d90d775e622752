'use strict'

const { readSafely } = require('./request-token.js')

/** Adds a `Set-Cookie` header to a response of any kind, and returns it, or a copy if its headers cannot change. */
function withSetCookie(target, header) {
  if (isHeaders(target?.headers)) return withHeader(target, header)
  if (isHeaders(target)) {
    target.append('set-cookie', header)
    return target
  }
  if (typeof target?.appendHeader === 'function') return target.appendHeader('set-cookie', header)
  if (typeof target?.header !== 'function') return undefined
  // The reply of Fastify appends to this header anyway, the context of Hono with that option.
  target.header('set-cookie', header, { append: true })
  return target
}

// The headers of `Response.redirect()` and of what `fetch` returns cannot change.
function withHeader(response, header) {
  try {
    response.headers.append('set-cookie', header)
    return response
  } catch {
    const copy = new Response(response.body, response)
    copy.headers.append('set-cookie', header)
    return copy
  }
}

function isHeaders(value) {
  return Boolean(readSafely(() => typeof value.append === 'function' && typeof value.get === 'function'))
}

module.exports = { withSetCookie }
