'use strict'

const { argumentError } = require('../error.js')
const { describe } = require('../options.js')
const { buildIn, isBuilding } = require('./build.js')
const { divide, unite } = require('./entry.js')
const { earliestContent } = require('./generations.js')
const { prerendered, setLifetime } = require('./internals.js')
const { readHandlerOptions } = require('./options.js')
const { localTime } = require('./store-clock.js')
const { CacheStore } = require('./store.js')

const TAGS = 'x-next-cache-tags'
const DAY_MS = 86_400_000
// A build caches what is asked for without caching, so that its pages see the same.
const BUILD_TTL_MS = DAY_MS / 24

/** A class for the option `cacheHandler` of Next.js: pages, responses of routes and of `fetch`, `unstable_cache` and images. */
function createCacheHandler(options) {
  const own = readHandlerOptions(options, ['buildId'])
  const { buildId } = own
  if (buildId !== undefined && (typeof buildId !== 'string' || buildId === '')) {
    throw argumentError(`buildId must be a string that is not empty, got ${describe(buildId)}`)
  }
  const store = new CacheStore(own)
  // Next.js makes an object for every request.
  const cache = new IncrementalStore(store, own)
  return class CacheHandler {
    #request

    constructor(context) {
      // `startedAt` has by key when a value was missing or old, so that this request makes another.
      this.#request = { ...context, createdAt: localTime(), startedAt: new Map() }
    }

    get(cacheKey, context) {
      return cache.get(cacheKey, context, this.#request)
    }

    set(cacheKey, data, context) {
      return cache.set(cacheKey, data, context, this.#request)
    }

    async revalidateTag(tags, durations) {
      await store.updateTags([tags].flat(), durations)
    }

    // Nothing is kept for a request.
    resetRequestCache() {}

    static stats() {
      return store.stats()
    }
  }
}

class IncrementalStore {
  #store
  #buildId
  #longestMs

  constructor(store, { buildId, maxAgeSeconds }) {
    this.#store = store
    this.#buildId = buildId
    this.#longestMs = maxAgeSeconds * 1000
  }

  async get(cacheKey, context, request) {
    const key = this.#keyOf(cacheKey, context.kind, request)
    if (key === undefined) return null
    const tags = [...(context.tags ?? []), ...(context.softTags ?? [])]
    // What the request before this one, an action, has invalidated.
    if (tags.some((tag) => request.revalidatedTags?.includes(tag))) return null
    const found = await this.#store.read(key, tags)
    const entry = found?.header
      ? this.#entryOf(found, context)
      : await this.#prerendered(found, key, cacheKey, context, request)
    if (!(entry && isFresh(entry, context)) && !request.startedAt.has(key)) request.startedAt.set(key, localTime())
    if (entry?.cacheControl && context.kind !== 'IMAGE') setLifetime(cacheKey, entry.cacheControl)
    return entry ?? null
  }

  async set(cacheKey, data, context, request) {
    const key = this.#keyOf(cacheKey, context.fetchCache ? 'FETCH' : (context.kind ?? data?.kind), request)
    // Next.js keeps a `notFound` in this way, and takes it for nothing else.
    if (key === undefined || (data === null && context.fetchCache)) return
    // Next.js also makes pages that it has not read before, as in place of a fallback.
    const renderedAt = request.startedAt.get(key) ?? request.createdAt
    const startedAt = context.fetchCache ? renderedAt : earliestContent(renderedAt)
    request.startedAt.delete(key)
    const tags = tagsOf(data, context)
    const { cacheControl } = context
    const ttlMs = context.isImplicitBuildTimeCache ? BUILD_TTL_MS : (cacheControl?.expire ?? Infinity) * 1000
    const { parts, ...value } = data ? divide(data) : { plain: null, places: [], parts: [] }
    await this.#store.pending(key, async () => {
      if (ttlMs > 0) await this.#store.write(key, startedAt, ttlMs, { tags, cacheControl, value }, parts)
    })
  }

  #keyOf(cacheKey, kind, request) {
    const { keys } = this.#store
    if (kind === 'FETCH') return keys.fetch(cacheKey)
    const id = this.#buildId ?? buildIn(request.serverDistDir)?.id
    // A build writes its pages to files itself.
    if (id === undefined || isBuilding()) return undefined
    return keys.ofBuild(kind === 'IMAGE' ? 'image' : 'page', id, cacheKey)
  }

  #entryOf({ header, parts, state }, context) {
    const { cacheControl, storedAt, value } = header
    const data = value.plain === null ? null : unite(value, parts)
    if (data === undefined) return undefined
    const entry = { lastModified: this.#store.localAt(storedAt), value: data }
    if (cacheControl) entry.cacheControl = cacheControl
    return state === 'stale' ? outdated(entry, context) : entry
  }

  /** The page as it was built, unless one of its tags was invalidated since then, or the store could not say. */
  async #prerendered(found, key, cacheKey, context, request) {
    if (!found || context.kind === 'FETCH' || context.kind === 'IMAGE') return undefined
    try {
      const entry = await prerendered(request)?.get(cacheKey, context)
      if (!entry || entry.lastModified < localTime() - this.#longestMs) return undefined
      const madeAt = Math.min(entry.lastModified, buildIn(request.serverDistDir)?.startedAt ?? Infinity)
      const state = await this.#store.stateOf(key, tagsOf(entry.value, {}), madeAt, found.states)
      if (state === 'expired') return undefined
      return state === 'stale' ? outdated(entry, context) : entry
    } catch {
      return undefined
    }
  }
}

/** The tags of a value that is stored. */
function tagsOf(data, context) {
  if (context.fetchCache) return [...new Set([...(context.tags ?? []), ...(data?.tags ?? [])])]
  const header = data?.headers?.[TAGS]
  return typeof header === 'string' && header !== '' ? header.split(',') : []
}

/** Makes an entry so old that Next.js still serves it, and replaces it meanwhile. */
function outdated(entry, context) {
  const { lastModified, value, cacheControl } = entry
  let seconds = context.kind === 'FETCH' ? context.revalidate || value.revalidate : cacheControl?.revalidate
  if (typeof seconds !== 'number') {
    seconds = 1
    entry.cacheControl = { ...cacheControl, revalidate: seconds }
  }
  entry.lastModified = Math.min(lastModified, localTime() - seconds * 1000 - 1)
  return entry
}

/** Whether Next.js will serve an entry without replacing it, as far as can be known here. */
function isFresh({ lastModified, value, cacheControl }, { kind, revalidate }) {
  const seconds = kind === 'FETCH' ? revalidate || value?.revalidate : (cacheControl?.revalidate ?? 1)
  return seconds === false || localTime() < lastModified + seconds * 1000
}

module.exports = { createCacheHandler }
