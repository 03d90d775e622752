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
  // Fastify's reply, which appends to this header.
  if (typeof target?.header === 'function') return target.header('set-cookie', header)
  return undefined
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

/** A response to a request that is refused, as RFC 9457 describes problems. */
function problem(status, title, detail, headers) {
  const body = JSON.stringify({ type: 'about:blank', title, status, detail })
  return new Response(body, { status, headers: { ...headers, 'content-type': 'application/problem+json' } })
}

module.exports = { problem, withSetCookie }
