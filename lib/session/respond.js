'use strict'

const { isCookies, readSafely } = require('./request-token.js')

/**
 * How a response of any kind gets the cookie that `cookie` writes: a function that adds it and returns the response, or a copy if its
 * headers cannot change; `undefined` for anything else.
 */
function committerOf(target) {
  if (isCookies(target)) return has(target, 'set') ? (cookie) => setIn(target, cookie) : undefined
  if (isHeaders(readSafely(() => target.headers))) return (cookie) => withHeader(target, cookie.header)
  if (isHeaders(target)) return (cookie) => appendTo(target, cookie.header)
  if (has(target, 'appendHeader')) return (cookie) => target.appendHeader('set-cookie', cookie.header)
  return has(target, 'header') ? (cookie) => headerOf(target, cookie.header) : undefined
}

function setIn(cookies, { arguments: args }) {
  cookies.set(...args)
  return cookies
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

function appendTo(headers, header) {
  headers.append('set-cookie', header)
  return headers
}

// The reply of Fastify appends to this header anyway, the context of Hono with that option.
function headerOf(reply, header) {
  reply.header('set-cookie', header, { append: true })
  return reply
}

function isHeaders(value) {
  return has(value, 'append') && has(value, 'get')
}

function has(value, name) {
  return readSafely(() => typeof value[name] === 'function') === true
}

module.exports = { committerOf }
