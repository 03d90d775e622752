'use strict'

const { Failures } = require('./cache/failures.js')
const { later, now } = require('./clock.js')
const { runAsPartOf, wouldDeadlock } = require('./load-cycles.js')
const { unlimited } = require('./native-service.js')
const { Recent } = require('./recent.js')

// How long callers wait for another caller's load before one of them starts its own, and how long a caller waits for its own.
const LOAD_TIMEOUTS = Object.freeze({ othersMs: 5000, ownMs: 60_000 })
// Backoff after a failed refresh of a stale value: the first delay and the longest.
const FIRST_BACKOFF_MS = 1000
const LONGEST_BACKOFF_MS = 60_000

const shared = new WeakMap()
let clock = 0

/** A load of a key, from the moment the first caller reads the key from the store. */
class Load {
  /** How many callers are reading the key from the store. */
  readers = 0
  /** The promise of the loaded value, once the load has started. */
  promise = null
  /** The `logicalTime()` at which it started: it sees every change made to its key before that. */
  startedAt = Infinity
  /** Whether its value must not be stored. */
  superseded = false
  /** Whether what it loads was invalidated by this process after it began. */
  invalidated = false
  /** Whether it has taken longer than other callers wait for it. */
  overdue = false
  ended = false
  /** The loaded value, `{ value }`, available before it is stored. */
  loaded = null
  /** How the callers that share it want its value stored; defined by the feature. */
  wanted = undefined
  /** By caller, why its value is of no use to some of them; defined by the feature. */
  errors = undefined
  /** The loads that it waits for, with the number of waits for each. */
  waitsFor = new Map()
  #lateCallbacks = new Set()
  #loadedCallbacks = new Set()

  /** Records the loaded value before it is stored. */
  setLoaded(value) {
    this.loaded = { value }
    for (const react of [...this.#loadedCallbacks]) react()
  }

  /** Calls `react()` when the value is loaded, before it is stored. Returns a function that cancels this. */
  whenLoaded(react) {
    this.#loadedCallbacks.add(react)
    return () => this.#loadedCallbacks.delete(react)
  }

  /** Calls `react(false)` when the load is overdue, and `react(true)` when its own caller stops waiting too. Returns a function that cancels this. */
  whenLate(react) {
    this.#lateCallbacks.add(react)
    return () => this.#lateCallbacks.delete(react)
  }

  start(work, { othersMs, ownMs }, drop) {
    this.startedAt = ++clock
    const notify = (isLast) => [...this.#lateCallbacks].forEach((react) => react(isLast))
    // Neither timer keeps the process alive: the callers that wait for the load do.
    const becomeOverdue = () => {
      this.overdue = true
      stop = later(Math.max(1, ownMs - othersMs), () => notify(true), false)
      drop()
      notify(false)
    }
    let stop = later(othersMs, becomeOverdue, false)
    this.promise = work().finally(() => {
      this.ended = true
      stop()
      drop()
    })
    // Callers that wait get the error themselves. If none does, it must not be an unhandled rejection.
    this.promise.catch(() => {})
  }
}

/** One caller's share in a load. */
class Share {
  constructor(load, owner, { ownMs }, joinAnother) {
    this.load = load
    /** The native service, without limits. */
    this.owner = owner
    /** How long the caller waits in all, in ms, even if it joins several loads. */
    this.ownMs = ownMs
    /** Whether this caller's own function does the loading. */
    this.isOwn = joinAnother === undefined
    /** Joins another load of the key, or starts one. */
    this.joinAnother = joinAnother
  }
}

/**
 * Loads in progress, at most one per key. A caller joins before it reads the key from the store and leaves when it has the reply,
 * so that one whose miss arrives late still shares the load that an earlier miss started.
 */
class SingleFlight {
  #loads = new Map()
  #backoffs = new Recent()
  #owner
  #failures = new Failures()

  constructor(owner) {
    this.#owner = owner
  }

  join(key) {
    let load = this.#loads.get(key)
    if (!load) this.#loads.set(key, (load = new Load()))
    load.readers++
    return load
  }

  leave(key, load) {
    if (--load.readers === 0 && !load.promise) this.#drop(key, load)
  }

  /** Whether a load of this key is running that callers may share. */
  isLoading(key) {
    return Boolean(this.#loads.get(key)?.promise)
  }

  /**
   * A caller's share in the load of a key, for `awaitLoad`. Starts a load with `work` if none is running for which `fits` returns
   * true; `fits` is also called for a load about to start. A load that depends on its own key, however indirectly, cannot wait for
   * itself and loads separately.
   */
  share(key, joined, work, { fits = () => true, timeouts = LOAD_TIMEOUTS } = {}) {
    const isRunning = joined.promise && !joined.overdue
    let load = isRunning ? joined : (this.#loads.get(key) ?? joined)
    if (load.promise && wouldDeadlock(load)) return this.#loadSeparately(load, work, timeouts)
    if (load.promise && (load.overdue || !fits(load))) {
      this.#drop(key, load)
      const { wanted } = load
      const next = this.#loads.get(key)
      load = next?.promise && fits(next) ? next : new Load()
      load.wanted ??= wanted
    }
    const joinAnother = () => this.share(key, joined, work, { fits, timeouts })
    if (load.promise) return new Share(load, this.#owner, timeouts, joinAnother)
    fits(load)
    this.#loads.set(key, load)
    load.start(
      () => runAsPartOf(load, () => work(load)),
      timeouts,
      () => this.#drop(key, load),
    )
    return new Share(load, this.#owner, timeouts)
  }

  #loadSeparately(avoided, work, timeouts) {
    const load = new Load()
    load.superseded = true
    load.start(
      () => runAsPartOf(load, () => work(load), avoided),
      timeouts,
      () => {},
    )
    return new Share(load, this.#owner, timeouts)
  }

  /** Prevents later callers from sharing the running load of this key, and that load from storing its value. */
  supersede(key) {
    const load = this.#loads.get(key)
    if (!load) return
    this.#loads.delete(key)
    load.superseded = true
  }

  supersedeAll() {
    for (const key of [...this.#loads.keys()]) this.supersede(key)
  }

  /** Whether the key is in backoff, after a failed refresh of its stale value in this process. */
  isInBackoff(key) {
    const backoff = this.#backoffs.get(key)
    return backoff !== undefined && now() < backoff.until
  }

  /** Starts the key's backoff after a failure, doubled each time. */
  backOff(key) {
    const last = this.#backoffs.get(key)
    const ms = Math.min(last ? 2 * last.ms : FIRST_BACKOFF_MS, LONGEST_BACKOFF_MS)
    this.#backoffs.set(key, { ms, until: now() + ms })
  }

  /** Ends the backoff of a key after a successful load. */
  endBackoff(key) {
    if (this.#backoffs.size > 0) this.#backoffs.delete(key)
  }

  /** Keeps the failure of a load for so many seconds, in which callers get it instead of another load. */
  rememberFailure(key, load, error, seconds) {
    if (load.superseded || load.invalidated) return
    this.#failures.remember(key, error, seconds, load.wanted.tags)
  }

  /** The failure of the last load of a key, `{ error }`, if that is kept. */
  failureOf(key) {
    return this.#failures.of(key)
  }

  /** Ends the failure of a key whose value was found. */
  endFailure(key) {
    this.#failures.forget(key)
  }

  /** Forgets the failure of a key that is being invalidated or set. */
  forgetFailure(key) {
    this.#failures.forget(key)
    const load = this.#loads.get(key)
    if (load) load.invalidated = true
  }

  /** The same for all keys, or only for those whose value would have a tag. */
  forgetFailures(tag) {
    if (tag === undefined) this.#failures.forgetAll()
    else this.#failures.forgetTagged(tag)
    for (const load of this.#loads.values()) {
      if (tag === undefined || load.wanted?.tags?.includes(tag)) load.invalidated = true
    }
  }

  #drop(key, load) {
    if (this.#loads.get(key) === load) this.#loads.delete(key)
  }
}

/** A logical time in this process, to compare with the start of a load. */
function logicalTime() {
  return ++clock
}

/** The loads shared by all objects of one native service and one name. */
function singleFlightOf(native, name) {
  const owner = unlimited(native)
  let byName = shared.get(owner)
  if (!byName) shared.set(owner, (byName = new Map()))
  let found = byName.get(name)
  if (!found) byName.set(name, (found = new SingleFlight(owner)))
  return found
}

module.exports = { LOAD_TIMEOUTS, logicalTime, singleFlightOf }
