'use strict'

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

// Anything longer is a mistake or an attack, not a token.
const LONGEST = 64 * 1024

// A cookie name as defined by RFC 6265.
const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * The session token of a request: `Authorization: Bearer …`, otherwise the first non-empty cookie of that name; `null` if there is
 * neither, or if the value cannot be a token. Accepts the token itself, a fetch `Request`, `Headers`, a Node request, or any
 * object with `headers`. Header names are case-insensitive.
 */
function tokenOf(request, cookie = 'session') {
  if (typeof cookie !== 'string' || !COOKIE_NAME.test(cookie)) {
    throw argumentError(`cookie must be the name of a cookie, got ${describe(cookie)}`)
  }
  if (typeof request === 'string') return usable(request)
  const headers = asked(() => headersOf(request))
  if (!headers) {
    throw argumentError(`expected a token, a Request, Headers or an IncomingMessage, got ${describe(request)}`)
  }
  const values = (name) => asked(() => headers(name)) ?? []
  for (const value of values('authorization')) {
    const bearer = /^\s*Bearer +([^\s,]+)\s*$/i.exec(value)
    if (bearer) return usable(bearer[1])
  }
  return usable(cookieOf(values('cookie'), cookie))
}

// Foreign objects may throw when they are read.
function asked(read) {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** The token, or `null` if it cannot be one. Invalid client input is not an error of the caller. */
function usable(token) {
  if (!token || token.includes('\0') || !token.isWellFormed()) return null
  return Buffer.byteLength(token) <= LONGEST ? token : null
}

// Returns a function that returns all values of a header, given its name in lower case.
function headersOf(request) {
  if (typeof request !== 'object' || request === null) return undefined
  const headers = typeof request.get === 'function' && typeof request.has === 'function' ? request : request.headers
  if (typeof headers !== 'object' || headers === null) return undefined
  return (name) => {
    const value = typeof headers.get === 'function' ? headers.get(name) : undefined
    // `undefined` rather than `null`: not a `Headers` object, so its names may be in any case.
    return value === undefined ? valuesOf(headers, name) : textsOf(value)
  }
}

function valuesOf(headers, name) {
  const isName = (other) => other.length === name.length && other.toLowerCase() === name
  if (!Array.isArray(headers) && !iterable(headers)) {
    const names = Object.keys(headers).filter(isName)
    return names.flatMap((other) => textsOf(headers[other]))
  }
  const pairs = Array.isArray(headers) ? pairsOf(headers) : [...headers]
  const named = pairs.filter((pair) => Array.isArray(pair) && typeof pair[0] === 'string' && isName(pair[0]))
  return named.flatMap(([, value]) => textsOf(value))
}

function iterable(headers) {
  return typeof headers[Symbol.iterator] === 'function'
}

// Either [name, value] pairs, or a flat list as in Node's `rawHeaders`.
function pairsOf(list) {
  if (list.every(Array.isArray)) return list
  return Array.from({ length: Math.floor(list.length / 2) }, (_, at) => [list[2 * at], list[2 * at + 1]])
}

function textsOf(value) {
  return (Array.isArray(value) ? value : [value]).filter((text) => typeof text === 'string')
}

function cookieOf(headers, name) {
  for (const pair of headers.flatMap((header) => header.split(';'))) {
    const at = pair.indexOf('=')
    if (at === -1 || pair.slice(0, at).trim() !== name) continue
    const value = pair
      .slice(at + 1)
      .trim()
      .replace(/^"(.*)"$/, '$1')
    if (value !== '') return decoded(value)
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
