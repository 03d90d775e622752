'use strict'

const { binding } = require('./bridge.js')
const { textOf } = require('./cache/canonical.js')
const { imageInfo, imageKey } = require('./cache/image.js')
const { Wanted } = require('./cache/store-options.js')
const { Parts, bind, limitsWithin, loadWithin, withoutSignals } = require('./call-options.js')
const { allowsFallback, argumentError } = require('./error.js')
const { fromJson, jsonOf } = require('./json.js')
const { derivedOf, limitsOf, madeOf } = require('./native-service.js')
const { assertFunction, assertMilliseconds, ownOptions } = require('./options.js')
const { claimPrefix } = require('./prefixes.js')
const { TIMES, flightsOf, moment } = require('./single-flight.js')
const { positiveSeconds } = require('./ttl.js')

const PREFIX = 'api:'
const OPTIONS = ['prefix', 'ttl', 'loadTimeoutMs', 'onUnavailable']
const SET_OPTIONS = ['ttl', 'tags', 'staleWhileRevalidate']
const ENTRY = ['key', 'value', ...SET_OPTIONS]

/** Values cached with a ttl, invalidated by key, tag or pattern, and loaded once when they are missing. */
class ApiCache {
  #made
  #limits
  /** Shared with what `with()` returns: the default ttl, the limits of loads, and how many errors of the store were swallowed. */
  #own

  constructor(service, options) {
    const parts = Parts.of(service, new.target)
    if (parts) {
      this.#made = parts.made
      this.#limits = parts.limits
      this.#own = parts.own
      return
    }
    const own = ownOptions(options, OPTIONS)
    const { ttl = 300, loadTimeoutMs, prefix = PREFIX } = own
    if (loadTimeoutMs !== undefined) assertMilliseconds(loadTimeoutMs, 'loadTimeoutMs')
    this.#made = madeOf(service, (handle) => {
      const native = new binding.Cache(handle, own)
      claimPrefix(handle, 'cache', prefix)
      return { native, flights: flightsOf(handle, `cache ${prefix}`) }
    })
    this.#limits = limitsOf(service)
    const times = loadTimeoutMs === undefined ? TIMES : { patienceMs: loadTimeoutMs, longestMs: loadTimeoutMs }
    this.#own = { ttl, times, failed: 0 }
  }

  get #native() {
    return this.#made().native
  }

  get #flights() {
    return this.#made().flights
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    const made = derivedOf(this.#made, ({ native, flights }) => ({ native: native.within(limits), flights }))
    return bind(ApiCache, this, { made, limits, own: this.#own })
  }

  keyFor(endpoint, params = {}) {
    return this.#native.keyFor(endpoint, textOf(params))
  }

  get(key) {
    return this.#native.get(key)
  }

  async set(key, value, options) {
    return this.#native.set(key, value, ownOptions(options, SET_OPTIONS))
  }

  invalidate(key) {
    return this.#native.invalidate(key)
  }

  invalidateByTag(tag) {
    return this.#native.invalidateByTag(tag)
  }

  invalidateByPattern(pattern) {
    return this.#native.invalidateByPattern(pattern)
  }

  getMany(keys) {
    return this.#native.getMany(keys)
  }

  async setMany(entries) {
    if (!Array.isArray(entries)) throw argumentError('entries must be an array of { key, value }')
    return this.#native.setMany(Array.from(entries, entryOf))
  }

  async getOrSet(key, load, options) {
    assertFunction(load, 'load')
    const { ttl = this.#own.ttl, tags, staleWhileRevalidate } = setOptions(options)
    const called = moment()
    const flight = this.#flights.join(key)
    const own = new Wanted(ttl, tags, staleWhileRevalidate)
    // Callers that join before the load starts take part in how its value is stored. Later ones check whether it is still valid.
    const asked = (flight.loading && own.and(flight.wanted)) || own
    if (!flight.loading) flight.wanted = flight.wanted ? (flight.wanted.and(own) ?? flight.wanted) : own
    let found
    try {
      const asking = options === undefined && asked === own ? undefined : asked.options
      found = await this.#native.begin(key, this.#own.times.longestMs, asking)
    } catch (error) {
      // A cache that is unreachable or full makes callers slower, not wrong.
      if (!allowsFallback(error)) throw error
    } finally {
      this.#flights.leave(key, flight)
    }
    if (found?.state === 'hit') return found.value
    const stale = found?.state === 'stale'
    if (stale && (this.#flights.isLoading(key) || this.#flights.rests(key))) return found.value
    const lease = found?.state === 'miss' ? asked.leaseOf(found) : undefined
    const fits = (current) => own.joins(current, called, lease)
    const share = this.#flights.load(key, flight, (current) => this.#load(current, key, load, lease, Boolean(found)), {
      fits,
      times: this.#own.times,
    })
    if (stale) {
      this.#renewing(key, share)
      return found.value
    }
    const { json } = await loadWithin(this.#limits, share)
    return json === undefined ? undefined : fromJson(json)
  }

  async #load(flight, key, load, lease, isUp) {
    const native = this.#patient()
    const { wanted } = flight
    // If others added tags before the load started, or it renews a stale value, its lease does not cover all tags yet.
    if (isUp && !flight.superseded && !(lease && wanted.isCovered(lease))) lease = await this.#open(native, key, wanted)
    flight.lease = lease
    try {
      const value = await load(key)
      const json = value === undefined ? undefined : jsonOf(value, 'the loaded value')
      flight.arrive({ json })
      this.#flights.wake(key)
      if (json === undefined) this.#release(native, flight, key)
      else await this.#fill(native, flight, key, json)
      return { json }
    } catch (error) {
      this.#release(native, flight, key)
      throw error
    }
  }

  async #open(native, key, wanted) {
    try {
      return wanted.leaseOf(await native.open(key, this.#own.times.longestMs, wanted.options))
    } catch {
      this.#own.failed++
      return undefined
    }
  }

  // The loaded value is returned even if it cannot be stored.
  async #fill(native, flight, key, json) {
    const { lease, superseded, wanted } = flight
    if (superseded || !lease || !wanted.isCovered(lease)) return
    try {
      await native.fill(key, lease.mark, wanted.marksIn(lease), json, wanted.options)
    } catch {
      this.#own.failed++
    }
  }

  #release(native, { lease, overdue, superseded }, key) {
    if (lease && !superseded && !overdue) native.release(key, lease.mark).catch(() => {})
  }

  // The caller already has the stale value. A failed renewal is counted in stats and starts the key's backoff.
  #renewing(key, { flight, own }) {
    if (!own) return
    const fail = () => {
      stop()
      this.#own.failed++
      this.#flights.rest(key)
    }
    const stop = flight.whenLate(fail)
    flight.loading.then(stop, () => flight.overdue || fail())
  }

  // Without the caller's signals, because several callers share the load: one that aborts must not fail the others.
  #patient() {
    return this.#limits.signals.length > 0 ? this.#native.within(withoutSignals(this.#limits)) : this.#native
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
    return { ...stats, errors: stats.errors + this.#own.failed }
  }
}

function entryOf(entry, at) {
  if (entry === undefined) throw argumentError(`entries[${at}] must be an object, got undefined`)
  return ownOptions(entry, ENTRY, `entries[${at}].`)
}

// Checked before `load` runs, although the store needs them only after it.
function setOptions(options) {
  const own = ownOptions(options, SET_OPTIONS)
  const { ttl, staleWhileRevalidate } = own
  // Copied, because the caller may change its array while the value is loaded.
  const tags = Array.isArray(own.tags) ? [...own.tags] : own.tags
  if (ttl !== undefined) positiveSeconds(ttl, 'ttl')
  if (staleWhileRevalidate !== undefined) positiveSeconds(staleWhileRevalidate, 'staleWhileRevalidate')
  if (tags !== undefined && !(Array.isArray(tags) && tags.every((tag) => typeof tag === 'string'))) {
    throw argumentError('tags must be an array of strings')
  }
  return { ttl, tags, staleWhileRevalidate }
}

module.exports = { ApiCache }
