'use strict'

const { binding } = require('./bridge.js')
const { argumentError, isUnavailable } = require('./error.js')
const { flightsOf } = require('./flights.js')
const { handleOf, limitsOf } = require('./handle.js')
const { imageInfo, imageKey } = require('./image.js')
const { Parts, bind, limitsWithin, loadWithin, withoutSignals } = require('./limits.js')
const { assertFunction, assertOptions } = require('./options.js')
const { positiveSeconds } = require('./seconds.js')

const OPTIONS = ['prefix', 'ttl', 'onUnavailable']
const SET_OPTIONS = ['ttl', 'tags', 'staleWhileRevalidate']
const ENTRY = ['key', 'value', ...SET_OPTIONS]

/** Answers kept for a while: by key, by tag, by pattern, and loaded once when they are missing. */
class ApiCache {
  #native
  #limits
  #flights
  /** How often it failed without its caller hearing of it; shared with what `with()` answers. */
  #failed = { count: 0 }

  constructor(service, options) {
    if (service instanceof Parts) {
      this.#native = service.native
      this.#limits = service.limits
      this.#flights = service.flights
      this.#failed = service.failed
      return
    }
    assertOptions(options, OPTIONS)
    const handle = handleOf(service)
    this.#native = new binding.Cache(handle, options)
    this.#flights = flightsOf(handle, `cache ${options?.prefix ?? 'api:'}`)
    this.#limits = limitsOf(service)
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    const native = this.#native.within(limits)
    return bind(ApiCache, this, { native, limits, flights: this.#flights, failed: this.#failed })
  }

  keyFor(endpoint, params = {}) {
    return this.#native.keyFor(endpoint, params)
  }

  get(key) {
    return this.#native.get(key)
  }

  async set(key, value, options) {
    assertOptions(options, SET_OPTIONS)
    return this.#supersede(
      () => this.#flights.forget(key),
      () => this.#native.set(key, value, options),
    )
  }

  invalidate(key) {
    return this.#supersede(
      () => this.#flights.forget(key),
      () => this.#native.invalidate(key),
    )
  }

  invalidateByTag(tag) {
    return this.#supersede(
      () => this.#flights.forgetTag(tag),
      () => this.#native.invalidateByTag(tag),
    )
  }

  invalidateByPattern(pattern) {
    return this.#supersede(
      () => this.#flights.forgetAll(),
      () => this.#native.invalidateByPattern(pattern),
    )
  }

  getMany(keys) {
    return this.#native.getMany(keys)
  }

  async setMany(entries) {
    if (!Array.isArray(entries)) throw argumentError('entries must be an array of { key, value }')
    for (const entry of entries) assertOptions(entry ?? null, ENTRY)
    const keys = entries.map(({ key }) => key)
    return this.#supersede(
      () => this.#flights.forgetEach(keys),
      () => this.#native.setMany(entries),
    )
  }

  // A load that runs now has read what this replaces. So may one that begins while this is on its way: both are told.
  async #supersede(forget, write) {
    const filling = forget()
    if (filling) await filling
    try {
      return await write()
    } finally {
      forget()
    }
  }

  async getOrSet(key, load, options) {
    assertFunction(load, 'load')
    assertSetOptions(options)
    const flight = this.#flights.join(key)
    let found
    try {
      found = await this.#native.begin(key, Boolean(options?.tags?.length))
    } catch (error) {
      // A cache that is down makes its callers slower, not wrong.
      if (!isUnavailable(error)) throw error
    } finally {
      this.#flights.leave(key, flight)
    }
    if (found?.state === 'hit') return found.value
    const fill = (value) => this.#patient().fill(key, found.stamp, value, options)
    const shared = this.#flights.load(key, flight, options?.tags, async (current) => {
      const value = await load(key)
      current.arrive(value)
      if (value !== undefined && found) await this.#fill(current, () => fill(value))
      return value
    })
    if (found?.state !== 'stale') return loadWithin(this.#limits, shared)
    // The caller has its answer; what goes wrong with the next one shows in stats, and at the next miss.
    shared.loading.catch(() => this.#failed.count++)
    return found.value
  }

  // For what several callers wait for: one that goes away must not fail it for the others.
  #patient() {
    return this.#limits.signals.length > 0 ? this.#native.within(withoutSignals(this.#limits)) : this.#native
  }

  async #fill(flight, fill) {
    if (flight.superseded) return
    try {
      flight.filling = fill()
      await flight.filling
    } catch (error) {
      if (!isUnavailable(error) && error.code !== 'E_OUT_OF_MEMORY') throw error
      this.#failed.count++
    }
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
    const key = imageKey(file)
    const info = imageInfo(file, image)
    await this.set(key, info, options)
    return info
  }

  async invalidateImage(file) {
    return this.invalidate(imageKey(file))
  }

  stats() {
    const stats = this.#native.stats()
    return { ...stats, errors: stats.errors + this.#failed.count }
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
