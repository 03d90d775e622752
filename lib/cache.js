'use strict'

const { awaitLoad } = require('./await-load.js')
const { allNames } = require('./adapter/names.js')
const {
  GET_OPTIONS,
  LOOKUP_OPTIONS,
  SET_OPTIONS,
  entryOf,
  isFrozenBy,
  setOptionsOf,
} = require('./cache/call-options.js')
const { canonicalText } = require('./cache/canonical.js')
const { deepFreeze } = require('./near/deep-freeze.js')
const { imageInfo, imageKey } = require('./cache/image.js')
const { Loader } = require('./cache/loader.js')
const { cachePartsOn } = require('./cache/parts.js')
const { StoreOptions } = require('./cache/store-options.js')
const { NO_LIMITS, withoutSignals } = require('./call-limits.js')
const { now } = require('./clock.js')
const { allowsFallback, argumentError } = require('./error.js')
const { defaultService } = require('./feature.js')
const { fromJson } = require('./json.js')
const { Limitable, limitsOf, partsOf, readCall } = require('./limitable.js')
const { assertFunction, describe, elementsOf } = require('./options.js')
const { logicalTime } = require('./single-flight.js')
const { withFiniteTtl } = require('./ttl.js')

// How many keys the server visits at once.
const SCAN_COUNT = 1000

/** `getOrSet` for responses, whose handlers fail for reasons of one request: no failure lasts. */
let getResponse
/**
 * The same for a load that cannot run in the background: the caller that finds a stale value makes the new one and waits for it, while
 * others get the stale one. A load that resolves to nothing did not replace it, which counts as a failure.
 */
let getOrRefresh

/** Values cached with a ttl, invalidated by key, tag or pattern, and loaded once when they are missing. */
class ApiCache extends Limitable {
  constructor(service, options) {
    super(service, () => cachePartsOn(service, options))
  }

  get #native() {
    return partsOf(this).native
  }

  get #shared() {
    return partsOf(this).shared
  }

  get #singleFlight() {
    return partsOf(this).made.singleFlight
  }

  keyFor(endpoint, params = {}) {
    return this.#native.keyFor(endpoint, canonicalText(params))
  }

  get(key, options) {
    if (options !== undefined) return this.#getWith(key, options)
    const { isNear, isStrict } = this.#shared
    if (!isNear || limitsOf(this) !== NO_LIMITS) return this.#native.get(key)
    const { near } = partsOf(this).made
    return isStrict ? this.#getStrictly(near, key) : near.get(key)
  }

  async #getStrictly(near, key) {
    const copy = typeof key === 'string' && near.find(key, true) !== undefined && (await this.#confirmed(near, key))
    return copy ? copy.fresh() : this.#native.get(key)
  }

  async #getWith(key, options) {
    const [cache, own] = readCall(this, options, GET_OPTIONS)
    const isFrozen = isFrozenBy(own, this.#shared.codec)
    const near = cache.#nearOf(key)
    const copy = near && (await near)
    if (copy !== undefined) return valueOf(copy, isFrozen)
    const value = await cache.#native.get(key)
    return isFrozen ? deepFreeze(value) : value
  }

  peek(key) {
    if (typeof key !== 'string') throw argumentError(`key must be a string, got ${describe(key)}`)
    const { near } = partsOf(this).made
    const copy = near?.find(key, false)
    if (copy === undefined) return undefined
    near.hits++
    return copy.shared()
  }

  /**
   * Returns the near copy of a value, or in strict mode a promise of it. Returns `undefined` if the value is not near, and for calls with limits,
   * which may already apply.
   */
  #nearOf(key) {
    const { isNear, isStrict } = this.#shared
    if (!isNear || typeof key !== 'string' || limitsOf(this) !== NO_LIMITS) return undefined
    const { near } = partsOf(this).made
    const copy = near.find(key, isStrict)
    if (copy === undefined) return undefined
    if (isStrict) return this.#confirmed(near, key)
    near.hits++
    return copy
  }

  async #confirmed(near, key) {
    const copy = (await near.confirm()) ? near.find(key, true) : undefined
    if (copy !== undefined) near.hits++
    return copy
  }

  async set(key, value, options) {
    const [cache, own] = readCall(this, options, SET_OPTIONS)
    this.#singleFlight.forgetFailure(key)
    return cache.#native.set(key, value, withFiniteTtl(own))
  }

  ttl(key) {
    return this.#native.ttl(key)
  }

  async has(key) {
    return (await this.#native.ttl(key)) !== null
  }

  async invalidate(key) {
    const singleFlight = this.#singleFlight
    singleFlight.forgetFailure(key)
    try {
      return await this.#native.invalidate(key)
    } finally {
      singleFlight.forgetFailure(key)
    }
  }

  deleteMany(keys) {
    return this.#invalidate((native) => native.invalidateMany(keys))
  }

  invalidateByTag(tag) {
    return this.#invalidate((native) => native.invalidateByTag(tag), tag)
  }

  expireByTag(tag) {
    return this.#invalidate((native) => native.expireByTag(tag), tag)
  }

  invalidateByPattern(pattern) {
    return this.#invalidate((native) => native.invalidateByPattern(pattern))
  }

  async clear(...args) {
    if (args.length > 0) throw argumentError('clear takes no argument: invalidateByTag and invalidateByPattern do')
    return this.#invalidate((native) => native.clear())
  }

  async *entries() {
    const native = this.#native
    for await (const keys of allNames(native, SCAN_COUNT)) {
      const found = await Promise.all(keys.map((key) => native.find(key).catch(nothingOf)))
      for (const [at, { state, value }] of found.entries()) if (state === 'hit') yield [keys[at], value]
    }
  }

  getMany(keys) {
    return this.#native.getMany(keys)
  }

  async setMany(entries) {
    const own = elementsOf(entries, 'entries', ' of { key, value }').map(entryOf)
    for (const { key } of own) this.#singleFlight.forgetFailure(key)
    return this.#native.setMany(own)
  }

  async getOrSet(key, load, options) {
    const { value } = await this.#lookup(key, load, options)
    return value
  }

  lookup(key, load, options) {
    return this.#lookup(key, load, options)
  }

  async #lookup(key, load, options, defaults = this.#shared.loads) {
    assertFunction(load, 'load')
    const [cache, own] = readCall(this, options, LOOKUP_OPTIONS)
    const isFrozen = isFrozenBy(own, this.#shared.codec)
    const entry = setOptionsOf(own)
    const loads = defaults.with(own)
    const near = cache.#nearOf(key)
    const copy = near && (await near)
    if (copy !== undefined) {
      if (loads.isEager) cache.#replaceIfDue(key, load, entry, loads, partsOf(this).made.near.timeOf(copy))
      return { value: valueOf(copy, isFrozen), source: 'near' }
    }
    const { value, source } = await cache.#getOrLoad(key, load, entry, loads, options === undefined)
    return { value: isFrozen ? deepFreeze(value) : value, source }
  }

  static {
    const objectOf = (cache) => (cache === ApiCache ? defaultService().cache : cache)
    getResponse = async (cache, key, load, options) => {
      const own = objectOf(cache)
      const { value } = await own.#lookup(key, load, options, own.#shared.loadsOf.responses)
      return value
    }
    getOrRefresh = async (cache, key, load, options) => {
      const own = objectOf(cache)
      const { requests } = own.#shared.loadsOf
      const { value } = await own.#getOrLoad(key, load, setOptionsOf(options), requests, false, true)
      return value
    }
  }

  async #getOrLoad(key, load, entry, loads, isPlain, waits = false) {
    const [calledAt, startedAt] = [logicalTime(), now()]
    const singleFlight = this.#singleFlight
    const joined = singleFlight.join(key)
    const own = this.#storeOptions(entry)
    // Callers that join before the load starts take part in how its value is stored. Later ones check whether it is still valid.
    const wanted = (joined.promise && own.and(joined.wanted)) || own
    if (!joined.promise) joined.wanted = joined.wanted ? (joined.wanted.and(own) ?? joined.wanted) : own
    let found
    try {
      const storeOptions = isPlain && wanted === own ? undefined : wanted.native
      found = await this.#native.begin(key, this.#shared.timeouts.ownMs, storeOptions, loads.isEager)
    } catch (error) {
      // A cache that is unreachable or full makes callers slower, not wrong.
      if (!allowsFallback(error)) throw error
    } finally {
      singleFlight.leave(key, joined)
    }
    if (found?.state === 'hit') {
      singleFlight.endFailure(key)
      this.#replaceIfDue(key, load, entry, loads, found)
      return { value: found.value, source: 'hit' }
    }
    const isStale = found?.state === 'stale'
    const isInGrace = found?.state === 'grace'
    const stale = isStale || isInGrace ? { value: found.value, source: 'stale' } : undefined
    if (isStale && (singleFlight.isLoading(key) || singleFlight.isInBackoff(key))) return stale
    if (isInGrace && singleFlight.isInBackoff(key)) return this.#inGrace(stale)
    const failure = found?.value === undefined && !joined.promise && singleFlight.failureOf(key)
    if (failure) return this.#failAgain(key, found, failure)
    const lease = found?.mark === undefined ? undefined : wanted.leaseOf(found)
    const loadOwn = isStale && waits ? replacing(load) : load
    const loader = this.#loader(loads)
    const work = (current) => loader.load(current, key, loadOwn, lease, Boolean(found))
    const share = singleFlight.share(key, joined, work, {
      fits: (current) => own.joins(current, calledAt, lease),
      timeouts: this.#shared.timeouts,
    })
    if (isStale) {
      loader.watchRefresh(key, share)
      if (!waits || !share.isOwn) return stale
    }
    if (isInGrace) loader.watchRefresh(key, share)
    try {
      const { json, source = 'load' } = await awaitLoad(limitsOf(this), share, startedAt)
      return { value: json === undefined ? undefined : this.#valueOf(json), source }
    } catch (error) {
      if (!isInGrace || limitsOf(this).signals.some(({ aborted }) => aborted)) throw error
      return this.#inGrace(stale)
    }
  }

  /** Invalidates what may have failed to load before or meanwhile: everything, or what has a tag. */
  async #invalidate(call, tag) {
    const singleFlight = this.#singleFlight
    singleFlight.forgetFailures(tag)
    try {
      return await call(this.#native)
    } finally {
      singleFlight.forgetFailures(tag)
    }
  }

  #valueOf(json) {
    const { codec } = this.#shared
    return codec ? codec.decode(fromJson(json)) : fromJson(json)
  }

  #inGrace(stale) {
    this.#shared.inGrace++
    return stale
  }

  #failAgain(key, found, { error }) {
    // The lease was opened for a load that does not begin.
    if (found?.mark !== undefined) this.#native.release(key, found.mark).catch(() => {})
    throw error
  }

  /** Begins to replace a fresh value in the background if it is to be replaced already. */
  #replaceIfDue(key, load, entry, loads, { freshMs, lifeMs }) {
    const { ahead } = this.#shared
    if (!loads.isDue(freshMs, lifeMs) || ahead.has(key)) return
    const singleFlight = this.#singleFlight
    if (singleFlight.isLoading(key) || singleFlight.isInBackoff(key)) return
    ahead.add(key)
    const loader = this.#loader(loads)
    loader.replace(key, load, this.#storeOptions(entry), freshMs).finally(() => ahead.delete(key))
  }

  #storeOptions({ ttl = this.#shared.ttl, tags, staleWhileRevalidate, staleIfError }) {
    return new StoreOptions(ttl, tags, staleWhileRevalidate, staleIfError)
  }

  #loader(loads) {
    const limits = limitsOf(this)
    // Several callers share the load: one that aborts must not fail the others.
    const native = limits.signals.length > 0 ? this.#native.within(withoutSignals(limits)) : this.#native
    return new Loader(native, this.#singleFlight, this.#shared, loads)
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
    const near = partsOf(this).made.near?.hits ?? 0
    const { hits, nearHits, staleHits, errors } = stats
    const { errors: hidden, inGrace } = this.#shared
    const own = {
      hits: hits + near,
      nearHits: nearHits + near,
      staleHits: staleHits + inGrace,
      errors: errors + hidden,
    }
    return { ...stats, ...own }
  }
}

/** What another program has stored under a key is no entry. */
function nothingOf(error) {
  if (error?.code === 'E_INVALID_DATA' || error?.code === 'E_WRONG_TYPE') return { state: 'miss' }
  throw error
}

function valueOf(copy, isFrozen) {
  return isFrozen ? copy.shared() : copy.fresh()
}

function replacing(load) {
  return async (key, context) => {
    const value = await load(key, context)
    if (value === undefined) throw new Error('the stale value was not replaced')
    return value
  }
}

module.exports = { ApiCache, getOrRefresh, getResponse }
