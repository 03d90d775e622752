'use strict'

const { argumentError } = require('./error.js')
const { describe } = require('./options.js')

// More is no token but a mistake, or somebody who tries what happens.
const LONGEST = 64 * 1024

// What RFC 6265 lets a cookie be called.
const COOKIE_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/**
 * The session token that a request carries: `Authorization: Bearer …`, else the first cookie of that name that is not
 * empty; `null` when it has neither, or one that cannot be a token. Takes the token itself, a fetch `Request`,
 * `Headers`, a Node request, or anything with `headers`, whatever the case of their names.
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

// Objects of others may throw when they are read.
function asked(read) {
  try {
    return read()
  } catch {
    return undefined
  }
}

/** A token as it is, `null` for what cannot be one: that is what a stranger sent, and nobody's mistake. */
function usable(token) {
  if (!token || token.includes('\0') || !token.isWellFormed()) return null
  return Buffer.byteLength(token) <= LONGEST ? token : null
}

// Answers a function from a name in small letters to all values of that header.
function headersOf(request) {
  if (typeof request !== 'object' || request === null) return undefined
  const headers = typeof request.get === 'function' && typeof request.has === 'function' ? request : request.headers
  if (typeof headers !== 'object' || headers === null) return undefined
  return (name) => {
    const value = typeof headers.get === 'function' ? headers.get(name) : undefined
    // Nothing, and not `null`: this is no `Headers`, which knows every case.
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

// Pairs of names and values, or names and values in turn, as Node's `rawHeaders` has them.
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
