'use strict'

const { binding } = require('./bridge.js')
const { argumentError, isUnavailable } = require('./error.js')
const { flightsOf } = require('./flights.js')
const { handleOf } = require('./handle.js')
const { imageInfo, imageKey } = require('./image.js')
const { assertFunction, assertOptions, refuseOptions } = require('./options.js')
const { positiveSeconds } = require('./seconds.js')

const OPTIONS = ['prefix', 'ttl']
const SET_OPTIONS = ['ttl', 'tags', 'staleWhileRevalidate']
const ENTRY = ['key', 'value', ...SET_OPTIONS]

/** Answers kept for a while: by key, by tag, by pattern, and loaded once when they are missing. */
class ApiCache {
  #native
  #flights
  #errors = 0

  constructor(service, options) {
    assertOptions(options, OPTIONS)
    const handle = handleOf(service)
    this.#native = new binding.Cache(handle, options)
    this.#flights = flightsOf(handle, `cache ${options?.prefix ?? 'api:'}`)
  }

  keyFor(endpoint, params = {}) {
    return this.#native.keyFor(endpoint, params)
  }

  get(key) {
    return this.#native.get(key)
  }

  set(key, value, options) {
    const refused = refuseOptions(options, SET_OPTIONS)
    if (refused) return Promise.reject(refused)
    this.#flights.forget(key)
    return this.#native.set(key, value, options)
  }

  async invalidate(key) {
    this.#flights.forget(key)
    try {
      return await this.#native.invalidate(key)
    } finally {
      // A load that began while this ran may have read what was just declared invalid.
      this.#flights.forget(key)
    }
  }

  async invalidateByTag(tag) {
    this.#flights.forgetTag(tag)
    try {
      return await this.#native.invalidateByTag(tag)
    } finally {
      this.#flights.forgetTag(tag)
    }
  }

  async invalidateByPattern(pattern) {
    this.#flights.forgetAll()
    try {
      return await this.#native.invalidateByPattern(pattern)
    } finally {
      this.#flights.forgetAll()
    }
  }

  getMany(keys) {
    return this.#native.getMany(keys)
  }

  async setMany(entries) {
    if (!Array.isArray(entries)) throw argumentError('entries must be an array of { key, value }')
    for (const entry of entries) assertOptions(entry, ENTRY)
    for (const { key } of entries) this.#flights.forget(key)
    return this.#native.setMany(entries)
  }

  async getOrSet(key, load, options) {
    assertFunction(load, 'load')
    assertSetOptions(options)
    const flight = this.#flights.join(key)
    let found
    try {
      found = await this.#native.begin(key, Boolean(options?.tags?.length))
    } catch (error) {
      this.#tolerate(error)
    } finally {
      this.#flights.leave(key, flight)
    }
    if (found?.state === 'hit') return found.value
    const loading = this.#flights.load(key, flight, options?.tags, () => this.#loadValue(key, found, load, options))
    if (found?.state !== 'stale') return loading
    // The caller has its answer; what goes wrong with the next one shows in stats, and at the next miss.
    loading.catch(() => this.#errors++)
    return found.value
  }

  async #loadValue(key, found, load, options) {
    const value = await load(key)
    if (value === undefined || !found) return value
    try {
      await this.#native.fill(key, found.stamp, value, options)
    } catch (error) {
      this.#tolerate(error)
    }
    return value
  }

  // A cache that is down makes its callers slower, not wrong.
  #tolerate(error) {
    if (!isUnavailable(error) && error?.code !== 'E_OUT_OF_MEMORY') throw error
    this.#errors++
  }

  getCachedResponse(name) {
    return this.#native.get(name)
  }

  setCachedResponse(name, value, ttlSeconds = 300) {
    return this.set(name, value, { ttl: ttlSeconds })
  }

  invalidateCache(name) {
    return this.invalidate(name)
  }

  async getImageInfo(file) {
    return this.#native.get(imageKey(file))
  }

  async setImageInfo(file, image, options) {
    const info = imageInfo(file, image)
    await this.set(imageKey(file), info, options)
    return info
  }

  async invalidateImage(file) {
    return this.invalidate(imageKey(file))
  }

  stats() {
    const stats = this.#native.stats()
    return { ...stats, errors: stats.errors + this.#errors }
  }
}

// `load` runs before the store sees these: a mistake in them must show before it, not after.
function assertSetOptions(options) {
  assertOptions(options, SET_OPTIONS)
  if (!options) return
  const { ttl, tags, staleWhileRevalidate } = options
  if (ttl !== undefined) positiveSeconds(ttl, 'ttl')
  if (staleWhileRevalidate !== undefined) positiveSeconds(staleWhileRevalidate, 'staleWhileRevalidate')
  if (tags !== undefined && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'))) {
    throw argumentError('tags must be an array of strings')
  }
}

module.exports = { ApiCache }
