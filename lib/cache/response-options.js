'use strict'

const { ApiCache } = require('../cache.js')
const { argumentError } = require('../error.js')
const { assertFunction, describe, describeNumber, ownOptions, stringsOf } = require('../options.js')
const { assertTtl } = require('../ttl.js')
const { HEADER_NAME } = require('./stored-response.js')

const OPTIONS = ['cache', 'ttl', 'staleWhileRevalidate', 'tags', 'key', 'vary', 'maxBytes']
const MAX_BYTES = 1 << 20
/** The entry is one string of JSON, and the length of strings is limited. */
const MOST_BYTES = 1 << 26
/** Request headers that say who asks. */
const CREDENTIALS = ['authorization', 'cookie']

/** Reads the options of what caches responses. `more` are names that something else reads. */
function readOptions(options, more = []) {
  const read = ownOptions(options, [...OPTIONS, ...more])
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

/**
 * Returns the key of a request; `undefined` if its response must not be shared. `asked` are its headers, `resourceOf()` returns what it is
 * about, and `args` are those of the option `key`.
 */
async function keyOf({ cache, keyOf, vary }, asked, resourceOf, args) {
  const own = await keyOf?.(...args)
  if (keyOf !== undefined && typeof own !== 'string') {
    if (own === null || own === undefined) return undefined
    throw argumentError(`key must return a string, null or undefined, got ${describe(own)}`)
  }
  // Without a key, a response that may be for one user is not shared.
  if (own === undefined && CREDENTIALS.some((name) => asked.has(name) && !vary.includes(name))) return undefined
  if (own !== undefined && vary.length === 0) return own
  const resource = own ?? resourceOf()
  return cache.keyFor('response', { resource, vary: vary.map((name) => [name, asked.get(name)]) })
}

module.exports = { keyOf, readOptions }
