'use strict'

const { CinnabarError, allowsFallback } = require('../error.js')
const { copyOfResponse, withBody } = require('../response-copy.js')
const { revalidated } = require('./conditional.js')
const { record } = require('./record.js')
const { keyOf } = require('./response-options.js')
const { CACHE, hit, restore, whyNot } = require('./stored-response.js')

/** The errors for values that another program stored under a key. */
const FOREIGN = new Set(['E_INVALID_DATA', 'E_WRONG_TYPE'])
const MISS = 'fwd=uri-miss'

/**
 * Resolves to the response to a request of fetch: a stored one, or that of `respond()`, which calls the handler. `args` are those of the options
 * `key` and `tags`.
 *
 * `getOrLoad(cache, key, load, options)` is the form of `getOrSet` to use. `respond(true)` says that the response may be stored. Where
 * a framework is between this cache and the handler, `outer()` returns the headers that the response has from elsewhere, as for `entryOf`,
 * `whyNotYet()` another reason not to store the response, and `make(body, init)` a response.
 */
async function respondWith(own, request, args, ways) {
  const { respond, getOrLoad, make } = ways
  const pass = async (status) => marked(await respond(), status)
  if (request.method !== 'GET' && request.method !== 'HEAD') return pass('fwd=method')
  const key = await keyOf(own, request.headers, () => request.url.split('#', 1)[0], args)
  if (key === undefined) return pass('fwd=bypass')
  if (request.method === 'HEAD') {
    const found = await storedFor(own, key, request.headers)
    return responseOf(found && { ...found, body: null }, make) ?? withoutBody(await pass(MISS))
  }
  const state = { response: undefined, hasLoaded: false, isOver: false, isAbandoned: false }
  const load = () => {
    state.hasLoaded = true
    return loadOf(own, request, state, ways)
  }
  const { cache, ttl, tagsOf, staleWhileRevalidate } = own
  const tags = await tagsOf(...args)
  let found
  try {
    found = await getOrLoad(cache, key, load, { ttl, tags, staleWhileRevalidate })
  } catch (error) {
    state.isAbandoned = true
    if (state.response === undefined && !(isOfAnother(error) && !state.hasLoaded)) throw error
  } finally {
    state.isOver = true
  }
  // It shared the load of another request, whose response must not be shared.
  return state.response ?? responseOf(hit(request.headers, found), make) ?? pass(MISS)
}

/** Calls the handler. Resolves to what is stored of its response, which goes to `state` unless the load runs in the background. */
async function loadOf({ vary, maxBytes }, request, state, { respond, outer, whyNotYet }) {
  const before = outer?.()
  const response = await respond(true)
  const reason = whyNotYet?.() ?? whyNotStored(response, vary, maxBytes)
  if (reason === undefined) {
    const { entry, response: same } = await record(response, maxBytes, () => state.isAbandoned, before)
    if (entry !== undefined && !state.isOver) state.response = first(request, entry, response, before)
    if (entry !== undefined || !take(state, same, 'size')) return entry
  } else if (!take(state, response, reason)) {
    return undefined
  }
  // The next attempts are made less often.
  throw new Error('the response that was to replace a stale one cannot be stored')
}

function whyNotStored(response, vary, maxBytes) {
  const isRead = response.bodyUsed || response.body?.locked
  return whyNot(response, vary, maxBytes) ?? (isRead ? 'body' : undefined)
}

/** The response to the request whose handler made this one, which has been read and stored. */
function first(request, entry, { headers }, before) {
  const kept = [...headers].filter(([name, value]) => name === 'age' || before?.get(name) === value)
  const more = [...kept, ['cache-status', `${CACHE}; ${MISS}`]]
  return responseOf(revalidated(request.headers, restore(entry, more)))
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

/** Resolves to what is stored under a key, as a response to a request with these headers; to `undefined` without calling any handler. */
async function storedFor({ cache }, key, asked) {
  try {
    return hit(asked, await cache.get(key))
  } catch (error) {
    if (!allowsFallback(error) && !isOfAnother(error)) throw error
  }
}

function responseOf(found, make = (body, init) => new Response(body, init)) {
  if (found === undefined) return undefined
  const { body, ...init } = found
  return make(body, init)
}

function withoutBody(response) {
  if (response.body === null || response.bodyUsed) return response
  response.body.cancel().catch(() => {})
  return withBody(response, null)
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

module.exports = { MISS, isOfAnother, respondWith, storedFor }
