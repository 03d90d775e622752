'use strict'

const { ApiCache } = require('../cache.js')
const { CinnabarError, allowsFallback, argumentError } = require('../error.js')
const { assertFunction, describe, describeNumber, ownOptions, stringsOf } = require('../options.js')
const { copyOfResponse, isResponse, withBody } = require('../response-copy.js')
const { assertTtl } = require('../ttl.js')
const { revalidated } = require('./conditional.js')
const { isEntry, record, restore, whyNot } = require('./stored-response.js')

const OPTIONS = ['cache', 'ttl', 'staleWhileRevalidate', 'tags', 'key', 'vary', 'maxBytes']
const MAX_BYTES = 1 << 20
/** The entry is one string of JSON, and the length of strings is limited. */
const MOST_BYTES = 1 << 26
const HEADER_NAME = /^[\w!#$%&'*+.^`|~-]+$/
/** Request headers that say who asks. */
const CREDENTIALS = ['authorization', 'cookie']
/** The errors for values that another program stored under a key. */
const FOREIGN = new Set(['E_INVALID_DATA', 'E_WRONG_TYPE'])
/** The name of this cache in the header `Cache-Status`. */
const CACHE = 'cinnabar'
const MISS = 'fwd=uri-miss'

/** A handler of fetch requests whose responses are cached. */
function withCache(handler, options) {
  assertFunction(handler, 'handler')
  const own = readOptions(options)
  const respond = async (...args) => {
    const response = await handler(...args)
    if (isResponse(response)) return response
    throw argumentError(`handler must return a Response, got ${describe(response)}`)
  }
  return async (...args) => {
    const [request] = args
    const pass = async (status) => marked(await respond(...args), status)
    if (request.method !== 'GET' && request.method !== 'HEAD') return pass('fwd=method')
    const key = await keyOf(own, args)
    if (key === undefined) return pass('fwd=bypass')
    if (request.method === 'GET') return getOf(respond, own, key, args)
    return (await headOf(own, key, request)) ?? withoutBody(await pass(MISS))
  }
}

function readOptions(options) {
  const read = ownOptions(options, OPTIONS)
  const { cache = ApiCache, ttl, staleWhileRevalidate, tags = [], key, vary = [], maxBytes = MAX_BYTES } = read
  if (cache !== ApiCache && !(cache instanceof ApiCache))
    throw argumentError(`cache must be an ApiCache, got ${describe(cache)}`)
  if (ttl !== undefined) assertTtl(ttl, 'ttl')
  if (staleWhileRevalidate !== undefined) assertTtl(staleWhileRevalidate, 'staleWhileRevalidate')
  if (key !== undefined) assertFunction(key, 'key')
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0 || maxBytes > MOST_BYTES)
    throw argumentError(`maxBytes must be a whole number from 0 to ${MOST_BYTES}, got ${describeNumber(maxBytes)}`)
  const tagsOf = typeof tags === 'function' ? tags : constant(stringsOf(tags, 'tags'))
  const names = stringsOf(vary, 'vary').map((name) => name.toLowerCase())
  if (names.some((name) => name === '*' || !HEADER_NAME.test(name)))
    throw argumentError('vary must have names of request headers')
  return { cache, ttl, staleWhileRevalidate, tagsOf, keyOf: key, vary: names, maxBytes }
}

const constant = (value) => () => value

/** Returns the key of a request; `undefined` if its response must not be shared. */
async function keyOf({ cache, keyOf, vary }, args) {
  const { url, headers } = args[0]
  const own = await keyOf?.(...args)
  if (keyOf !== undefined && typeof own !== 'string') {
    if (own === null || own === undefined) return undefined
    throw argumentError(`key must return a string, null or undefined, got ${describe(own)}`)
  }
  // Without a key, a response that may be for one user is not shared.
  if (own === undefined && CREDENTIALS.some((name) => headers.has(name) && !vary.includes(name))) return undefined
  if (own !== undefined && vary.length === 0) return own
  const [resource] = url.split('#', 1)
  return cache.keyFor('response', { resource: own ?? resource, vary: vary.map((name) => [name, headers.get(name)]) })
}

async function getOf(handler, own, key, args) {
  const { cache, ttl, staleWhileRevalidate, tagsOf } = own
  const [request] = args
  const state = { response: undefined, hasLoaded: false, isOver: false, isAbandoned: false }
  const load = () => {
    state.hasLoaded = true
    return loadOf(handler, own, state, args)
  }
  const tags = await tagsOf(...args)
  let found
  try {
    found = await cache.getOrSet(key, load, { ttl, tags, staleWhileRevalidate })
  } catch (error) {
    state.isAbandoned = true
    if (state.response === undefined && !(isOfAnother(error) && !state.hasLoaded)) throw error
  } finally {
    state.isOver = true
  }
  // It shared the load of another request, whose response must not be shared.
  const response = state.response ?? hit(request, found)
  return response ?? marked(await handler(...args), MISS)
}

/** Calls the handler. Resolves to what is stored of its response, which goes to `state` unless the load runs in the background. */
async function loadOf(handler, { vary, maxBytes }, state, args) {
  const response = await handler(...args)
  const reason = whyNot(response, vary, maxBytes)
  if (reason === undefined) {
    const { entry, response: same } = await record(response, maxBytes, () => state.isAbandoned)
    if (entry !== undefined && !state.isOver) state.response = revalidated(args[0], marked(same, MISS))
    if (entry !== undefined || !take(state, same, 'size')) return entry
  } else if (!take(state, response, reason)) {
    return undefined
  }
  // The next attempts are made less often.
  throw new Error('the response that was to replace a stale one cannot be stored')
}

/** Takes a response that is not stored. Returns whether the load runs in the background: then it is cancelled. */
function take(state, response, reason) {
  if (state.isOver) response?.body?.cancel().catch(() => {})
  else state.response = marked(response, `${MISS}; detail=${reason}`)
  return state.isOver
}

/** Whether a call failed because of what another program stored, or because the client left whose load it shared. */
function isOfAnother(error) {
  return error instanceof CinnabarError ? FOREIGN.has(error.code) : error?.name === 'AbortError'
}

async function headOf({ cache }, key, request) {
  try {
    const response = hit(request, await cache.get(key))
    return response && withoutBody(response)
  } catch (error) {
    if (!allowsFallback(error) && !isOfAnother(error)) throw error
  }
}

function withoutBody(response) {
  if (response.body === null || response.bodyUsed) return response
  response.body.cancel().catch(() => {})
  return withBody(response, null)
}

/** Returns the response to a request that was stored as this entry; `undefined` if the value is not an entry. */
function hit(request, entry) {
  if (!isEntry(entry)) return undefined
  try {
    const age = Math.min(Math.max(0, Math.floor((Date.now() - entry.storedAt) / 1000)), 2 ** 31)
    const headers = [
      ['age', String(age)],
      ['cache-status', `${CACHE}; hit`],
    ]
    return revalidated(request, restore(entry, headers))
  } catch {
    return undefined
  }
}

/** A copy that says what this cache did (RFC 9211). The response itself, which the handler may return again, stays as it is. */
function marked(response, status) {
  try {
    const headers = new Headers(response.headers)
    headers.append('cache-status', `${CACHE}; ${status}`)
    return copyOfResponse(response, headers)
  } catch {
    // It is `Response.error()`, its body has been read, or it is not a response.
    return response
  }
}

module.exports = { withCache }
