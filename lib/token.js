'use strict'

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

/**
 * The session token that a request carries: `Authorization: Bearer …`, else the cookie; `null` when it has neither.
 * Takes the token itself, a fetch `Request`, `Headers`, or a Node request.
 */
function tokenOf(request, cookie) {
  if (typeof request === 'string') return request === '' ? null : request
  const headers = headersOf(request)
  if (!headers) {
    throw argumentError(`expected a token, a Request, Headers or an IncomingMessage, got ${describe(request)}`)
  }
  const bearer = /^Bearer +([^\s,]+) *$/i.exec(headers('authorization') ?? '')
  return bearer ? bearer[1] : cookieOf(headers('cookie') ?? '', cookie)
}

function headersOf(request) {
  if (typeof request !== 'object' || request === null) return undefined
  const headers = typeof request.get === 'function' && typeof request.has === 'function' ? request : request.headers
  if (typeof headers !== 'object' || headers === null) return undefined
  const read = typeof headers.get === 'function' ? (name) => headers.get(name) : (name) => headers[name]
  return (name) => {
    const value = read(name)
    return Array.isArray(value) ? value.join('; ') : value
  }
}

function cookieOf(header, name) {
  for (const pair of String(header).split(';')) {
    const at = pair.indexOf('=')
    if (at === -1 || pair.slice(0, at).trim() !== name) continue
    const value = pair
      .slice(at + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1')
    return value === '' ? null : decoded(value)
  }
  return null
}

function decoded(value) {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

module.exports = { tokenOf }
