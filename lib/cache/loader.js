'use strict'

const { jsonOf } = require('../json.js')
const { logicalTime } = require('../single-flight.js')
const { LoadContext } = require('./load-context.js')
const { claimReplacement, turnToLoad } = require('./shared-load.js')

/** Loads a value and stores it, for the callers of one process, or of all. `shared` is the state that the objects of a cache share. */
class Loader {
  #native
  #singleFlight
  #shared
  #loads

  constructor(native, singleFlight, shared, loads) {
    this.#native = native
    this.#singleFlight = singleFlight
    this.#shared = shared
    this.#loads = loads
  }

  /** Resolves to `{ json }`, with `source` if the value is not one that was loaded here. */
  async load(current, key, load, lease, isUp) {
    const { sharedLoads } = this.#shared
    if (!sharedLoads || !isUp || current.superseded) return this.#loadHere(current, key, load, lease, isUp)
    // Callers that join meanwhile compare theirs with it.
    current.lease = lease
    const { value, state, lease: own = lease, end } = await this.#turnToLoad(current, key)
    if (state === 'hit') {
      const loaded = { json: this.#jsonOf(value), source: 'hit' }
      current.setLoaded(loaded)
      this.#singleFlight.endBackoff(key)
      return loaded
    }
    let isEmpty = true
    // A load that never settles must not keep the claim.
    const stop = end && current.whenLate((isLast) => isLast && end(true))
    try {
      const loaded = await this.#loadHere(current, key, load, own, isUp)
      isEmpty = loaded.json === undefined || loaded.isSkipped
      return loaded
    } finally {
      stop?.()
      end?.(isEmpty)
    }
  }

  /** Replaces a fresh value, unless another process does. Never rejects: a failure counts in stats and starts the key's backoff. */
  async replace(key, load, wanted, freshMs) {
    const { sharedLoads, timeouts } = this.#shared
    let end
    try {
      end = sharedLoads ? await claimReplacement(this.#native, key, freshMs) : () => {}
    } catch {
      this.#shared.errors++
    }
    if (!end) return
    const joined = this.#singleFlight.join(key)
    joined.wanted = joined.wanted?.and(wanted) ?? wanted
    const share = this.#singleFlight.share(
      key,
      joined,
      (current) => this.#loadHere(current, key, load, undefined, true),
      {
        fits: (current) => Boolean(current.promise) || wanted.joins(current, logicalTime()),
        timeouts,
      },
    )
    this.#singleFlight.leave(key, joined)
    this.watchRefresh(key, share)
    end(await isEmptyInTime(share.load))
  }

  async #turnToLoad(current, key) {
    const { othersMs, ownMs } = this.#shared.timeouts
    const open = async () => {
      const { wanted } = current
      return wanted.leaseOf(await this.#native.open(key, ownMs, wanted.native))
    }
    try {
      // Then there is still time for a load of its own.
      return await turnToLoad(this.#native, key, open, Math.min(othersMs, ownMs / 2))
    } catch {
      this.#shared.errors++
      return {}
    }
  }

  async #loadHere(current, key, load, lease, isUp) {
    const { wanted } = current
    // If others added tags before the load started, or it refreshes a stale value, its lease does not cover all tags yet.
    if (isUp && !current.superseded && !(lease && wanted.isCovered(lease))) {
      lease = await this.#openLease(key, wanted)
    }
    current.lease = lease
    const context = this.#contextOf(current, key, isUp)
    try {
      const value = await load(key, context)
      const { ttl, isSkipped } = context.end()
      const json = value === undefined ? undefined : this.#jsonOf(value)
      current.setLoaded({ json })
      this.#singleFlight.endBackoff(key)
      if (json === undefined || isSkipped) this.#release(current, key)
      else await this.#fill(current, key, json, ttl)
      return { json, isSkipped }
    } catch (error) {
      context.end()
      this.#release(current, key)
      const { errorTtl } = this.#loads
      if (errorTtl !== undefined) this.#singleFlight.rememberFailure(key, current, error, errorTtl)
      throw error
    }
  }

  #jsonOf(value) {
    const { codec } = this.#shared
    return jsonOf(codec ? codec.encode(value, 'the loaded value') : value, 'the loaded value')
  }

  #contextOf(current, key, isUp) {
    const { ownMs } = this.#shared.timeouts
    return new LoadContext(current, ownMs, {
      readStale: () => (isUp ? this.#readStale(key) : Promise.resolve(undefined)),
      openTags: async (tags) => {
        const { lease } = current
        const added = lease ? tags.filter((tag) => !lease.tags.has(tag)) : []
        if (added.length === 0) return
        const opened = await this.#openLease(key, current.wanted.withTags(added))
        for (const [tag, mark] of opened?.tags ?? []) if (!lease.tags.has(tag)) lease.tags.set(tag, mark)
      },
    })
  }

  async #readStale(key) {
    try {
      return (await this.#native.find(key)).value
    } catch {
      this.#shared.errors++
      return undefined
    }
  }

  async #openLease(key, wanted) {
    try {
      return wanted.leaseOf(await this.#native.open(key, this.#shared.timeouts.ownMs, wanted.native))
    } catch {
      this.#shared.errors++
      return undefined
    }
  }

  // The loaded value is returned even if it cannot be stored.
  async #fill({ lease, superseded, wanted }, key, json, ttl) {
    if (superseded || !lease || !wanted.isCovered(lease)) return
    const lasting = ttl ?? this.#loads.ttlOf(json, wanted.ttl)
    try {
      const options = { ...wanted.withTtl(lasting).native, isEager: this.#loads.isEager }
      await this.#native.fill(key, lease.mark, wanted.marksIn(lease), json, options)
    } catch {
      this.#shared.errors++
    }
  }

  #release({ lease, overdue, superseded }, key) {
    if (lease && !superseded && !overdue) this.#native.release(key, lease.mark).catch(() => {})
  }

  /** Watches the load of a stale value, which its caller already has. A failure counts in stats and starts the key's backoff. */
  watchRefresh(key, { load, isOwn }) {
    if (!isOwn) return
    const fail = () => {
      stop()
      this.#shared.errors++
      this.#singleFlight.backOff(key)
    }
    const stop = load.whenLate(fail)
    load.promise.then(stop, () => load.overdue || fail())
  }
}

/** Resolves to whether a load has no value, or is overdue. */
function isEmptyInTime(load) {
  return new Promise((resolve) => {
    load.whenLate(() => resolve(true))
    load.promise.then(
      ({ json, isSkipped }) => resolve(json === undefined || isSkipped),
      () => resolve(true),
    )
  })
}

module.exports = { Loader }
