'use strict'

const { types } = require('node:util')

const { argumentError } = require('../error.js')
const { describe, hasOption } = require('../options.js')

const tagOf = Function.prototype.call.bind(Object.prototype.toString)
const ACCEPTED = 'a token, a Request, Headers, an IncomingMessage, { headers } or the cookies of Next.js'

// Anything longer is a mistake or an attack, not a token.
const MAX_BYTES = 64 * 1024

// A cookie name as defined by RFC 6265.
const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * The session token of a request: `Authorization: Bearer …`, otherwise the first non-empty cookie of that name; `null` if there is
 * neither, or if the value cannot be a token. Accepts the token itself, a fetch `Request`, `Headers`, a Node request, any object
 * with `headers`, or the cookies of Next.js. Header names are case-insensitive. Throws for anything else.
 */
function tokenOf(request, cookie = 'session') {
  if (typeof cookie !== 'string' || !COOKIE_NAME.test(cookie)) {
    throw argumentError(`cookie must be the name of a cookie, got ${describe(cookie)}`)
  }
  if (typeof request === 'string') return validToken(request)
  if (readSafely(() => isCookies(request))) return validToken(readSafely(() => cookieIn(request, cookie)))
  const values = headersIn(request)
  if (!values)
    throw argumentError(`expected ${ACCEPTED}, got ${readSafely(() => nameOf(request)) ?? describe(request)}`)
  const bearer = bearerOf(values)
  if (bearer) return validToken(bearer)
  return validToken(cookieOf(values('cookie'), cookie))
}

/** The token of an `Authorization: Bearer …` header, which no other site can have a browser send. */
function bearerOf(values) {
  for (const value of values('authorization')) {
    const bearer = /^\s*Bearer +([^\s,]+)\s*$/i.exec(value)
    if (bearer) return bearer[1]
  }
  return undefined
}

// Foreign objects may throw when they are read.
function readSafely(read) {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** The token, or `null` if it cannot be one. Invalid client input is not an error of the caller. */
function validToken(token) {
  if (!token || token.includes('\0') || !token.isWellFormed()) return null
  return Buffer.byteLength(token) <= MAX_BYTES ? token : null
}

// Of what has these methods, the headers of Bun and forms have `append` too.
function isCookies(request) {
  return (
    isObject(request) && !types.isPromise(request) && has(request, 'get', 'has', 'getAll') && !has(request, 'append')
  )
}

function cookieIn(cookies, name) {
  const values = cookies.getAll(name).map((cookie) => cookie?.value)
  return values.find((value) => typeof value === 'string' && value !== '')
}

// Returns a function that returns all values of a header, given its name in lower case.
function headersOf(request) {
  if (!isObject(request)) return undefined
  const headers = has(request, 'get', 'has') ? request : hasOption(request, 'headers') ? request.headers : undefined
  if (!isObject(headers) || types.isPromise(headers) || types.isWeakMap(headers) || isForm(headers)) return undefined
  if (isOtherCookies(headers)) return undefined
  return (name) => {
    const value = typeof headers.get === 'function' ? headers.get(name) : undefined
    // `undefined` rather than `null`: not a `Headers` object, so its names may be in any case.
    return value === undefined ? valuesOf(headers, name) : textsOf(value)
  }
}

// By its name, since Headers have all of its methods in Bun.
function isForm(value) {
  return /^\[object (URLSearchParams|FormData)\]$/.test(tagOf(value))
}

// The cookies of Bun and of Astro have `get` and `has` as headers do, by which they would have no session, silently.
function isOtherCookies(value) {
  return tagOf(value) === '[object CookieMap]' || has(value, 'get', 'has', 'set', 'headers')
}

function isObject(value) {
  return typeof value === 'object' && value !== null
}

function has(object, ...names) {
  return names.every((name) => typeof object[name] === 'function')
}

// Values that are often passed instead of a request.
function nameOf(request) {
  if (!isObject(request)) return undefined
  if (types.isPromise(request.headers)) return describe(request.headers)
  if (isForm(request)) return 'URLSearchParams or FormData'
  if (isOtherCookies(request)) return 'cookies: pass the request that has them'
  const isHeader = (name) => /^(authorization|cookie|host)$/i.test(name)
  return Object.keys(request).some(isHeader) ? 'an object of headers: pass it as { headers }' : undefined
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
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/**
 * How the headers of a request are read: a function from a name in lower case to all values of that header; `undefined` if it has none,
 * as the cookies of Next.js. Never throws.
 */
function headersIn(request) {
  const headers = readSafely(() => headersOf(request))
  return headers && ((name) => readSafely(() => headers(name)) ?? [])
}

module.exports = {
  bearerOf,
  headersIn,
  isCookies: (request) => Boolean(readSafely(() => isCookies(request))),
  readSafely,
  tokenOf,
}
