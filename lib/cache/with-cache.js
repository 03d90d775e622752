'use strict'

const { ApiCache } = require('../cache.js')
const { argumentError } = require('../error.js')
const { assertFunction, describe, describeNumber, ownOptions, stringsOf } = require('../options.js')
const { assertTtl } = require('../ttl.js')
const { respondTo } = require('./conditional.js')
const { isEntry, record, restore, whyNot } = require('./stored-response.js')

const OPTIONS = ['cache', 'ttl', 'staleWhileRevalidate', 'tags', 'key', 'vary', 'maxBytes']
const MAX_BYTES = 1 << 20
/** Request headers that say who asks. */
const CREDENTIALS = ['authorization', 'cookie']

/** A handler of fetch requests whose responses are cached. */
function withCache(handler, options) {
  assertFunction(handler, 'handler')
  const own = readOptions(options)
  return async (...args) => {
    const [request] = args
    if (request.method !== 'GET' && request.method !== 'HEAD') return marked(await handler(...args), 'fwd=method')
    const key = await keyOf(own, args)
    if (key === undefined) return marked(await handler(...args), 'fwd=bypass')
    const response = await (request.method === 'HEAD'
      ? headOf(handler, own, key, args)
      : getOf(handler, own, key, args))
    return respondTo(request, response)
  }
}

function readOptions(options) {
  const {
    cache = ApiCache,
    ttl,
    staleWhileRevalidate,
    tags = [],
    key,
    vary = [],
    maxBytes = MAX_BYTES,
  } = ownOptions(options, OPTIONS)
  if (cache !== ApiCache && !(cache instanceof ApiCache))
    throw argumentError(`cache must be an ApiCache, got ${describe(cache)}`)
  if (ttl !== undefined) assertTtl(ttl, 'ttl')
  if (staleWhileRevalidate !== undefined) assertTtl(staleWhileRevalidate, 'staleWhileRevalidate')
  if (key !== undefined) assertFunction(key, 'key')
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0)
    throw argumentError(`maxBytes must be a whole number from 0, got ${describeNumber(maxBytes)}`)
  const tagsOf = typeof tags === 'function' ? tags : constant(stringsOf(tags, 'tags'))
  const names = stringsOf(vary, 'vary').map((name) => name.toLowerCase())
  return { cache, ttl, staleWhileRevalidate, tagsOf, keyOf: key, vary: names, maxBytes }
}

const constant = (value) => () => value

/** The key of a request; `undefined` if its response is not for others. */
async function keyOf({ cache, keyOf, vary }, args) {
  const { url, headers } = args[0]
  const own = await keyOf?.(...args)
  if (keyOf !== undefined && typeof own !== 'string') {
    if (own === null || own === undefined) return undefined
    throw argumentError(`key must return a string, null or undefined, got ${describe(own)}`)
  }
  // Without a key, what may be for one user is not shared.
  if (own === undefined && CREDENTIALS.some((name) => headers.has(name) && !vary.includes(name))) return undefined
  if (own !== undefined && vary.length === 0) return own
  const [resource] = url.split('#', 1)
  return cache.keyFor('response', { resource: own ?? resource, vary: vary.map((name) => headers.get(name)) })
}

async function getOf(handler, own, key, args) {
  const { cache, ttl, staleWhileRevalidate, tagsOf, vary, maxBytes } = own
  const mine = { made: undefined, isOver: false }
  const load = async () => {
    const response = await handler(...args)
    const reason = whyNot(response, vary)
    if (reason !== undefined) return pass(mine, response, `fwd=uri-miss; detail=${reason}`)
    const { entry, response: same } = await record(response, maxBytes)
    pass(mine, same, entry ? 'fwd=uri-miss; stored' : 'fwd=uri-miss; detail=size')
    return entry
  }
  const tags = await tagsOf(...args)
  const found = await cache.getOrSet(key, load, { ttl, tags, staleWhileRevalidate })
  mine.isOver = true
  if (mine.made !== undefined) return mine.made
  // It shared the load of another request, whose response is not for others.
  return hit(found) ?? marked(await handler(...args), 'fwd=uri-miss')
}

/** Takes the response of this request's own load, unless that runs in the background. */
function pass(mine, response, status) {
  // A body that the handler has kept for itself cannot be cancelled.
  if (mine.isOver) response.body?.cancel().catch(() => {})
  else mine.made = marked(response, status)
}

async function headOf(handler, { cache }, key, args) {
  return hit(await cache.get(key)) ?? marked(await handler(...args), 'fwd=uri-miss')
}

/** The response of an entry; `undefined` if it is none. */
function hit(entry) {
  if (!isEntry(entry)) return undefined
  try {
    const response = restore(entry)
    response.headers.set('age', String(Math.max(0, Math.floor((Date.now() - entry.storedAt) / 1000))))
    return marked(response, 'hit')
  } catch {
    return undefined
  }
}

/** Adds what this cache did (RFC 9211), if the headers of the response can change. */
function marked(response, status) {
  for (const copy of [() => response, () => new Response(response.body, response)]) {
    try {
      const changed = copy()
      changed.headers.append('cache-status', `cinnabar; ${status}`)
      return changed
    } catch {
      // The next one may take it.
    }
  }
  return response
}

module.exports = { withCache }
