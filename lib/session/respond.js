'use strict'

const { argumentError } = require('../error.js')
const { copyOfResponse } = require('../response-copy.js')
const { isCookies, readSafely } = require('./request-token.js')

/**
 * How a response of any kind gets a cookie, `{ header, arguments }`: a function that adds it, unless the response has it already, and
 * returns the response, or a copy if its headers cannot change; `undefined` for anything else.
 */
function committerOf(target) {
  if (isCookies(target)) return has(target, 'set') ? (cookie) => setIn(target, cookie) : undefined
  if (isHeaders(readSafely(() => target.headers))) return (cookie) => withHeader(target, cookie.header)
  if (isHeaders(target)) return (cookie) => appendTo(target, cookie.header)
  if (has(target, 'getHeader') && has(target, 'setHeader')) return (cookie) => addTo(target, cookie.header)
  return has(target, 'header') ? (cookie) => headerOf(target, cookie.header) : undefined
}

function setIn(cookies, { arguments: args }) {
  cookies.set(...args)
  return cookies
}

// The headers of `Response.redirect()` and of what `fetch` returns cannot change.
function withHeader(response, header) {
  try {
    appendTo(response.headers, header)
    return response
  } catch {
    const copy = copyOf(response)
    appendTo(copy.headers, header)
    return copy
  }
}

function copyOf(response) {
  try {
    return copyOfResponse(response)
  } catch (error) {
    const reason = 'it is Response.error(), or its body has been read'
    throw argumentError(`commit cannot add a cookie to this response, nor to a copy of it: ${reason}`, error)
  }
}

function appendTo(headers, header) {
  if (!headers.getSetCookie().includes(header)) headers.append('set-cookie', header)
  return headers
}

// The responses of HTTP/2 have no `appendHeader` in every version of Node.js.
function addTo(response, header) {
  const before = [response.getHeader('set-cookie') ?? []].flat()
  if (!before.includes(header)) response.setHeader('set-cookie', [...before, header])
  return response
}

// The reply of Fastify appends to this header anyway, the context of Hono with that option.
function headerOf(reply, header) {
  const before = has(reply, 'getHeader') ? [reply.getHeader('set-cookie')].flat() : []
  if (!before.includes(header)) reply.header('set-cookie', header, { append: true })
  return reply
}

function isHeaders(value) {
  return has(value, 'append') && has(value, 'getSetCookie')
}

// Most responses have no headers of that kind, and an exception would take longer than all else here.
function has(value, name) {
  if (value === undefined || value === null) return false
  return readSafely(() => typeof value[name] === 'function') === true
}

module.exports = { committerOf }
