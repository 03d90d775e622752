'use strict'

const { later, now } = require('./clock.js')
const { isWaitedForBy, loadAround } = require('./load-cycles.js')
const { originOf } = require('./native-service.js')

// In ms: how long other callers wait for a load before one of them starts another, and how long its own caller waits.
const TIMES = Object.freeze({ patienceMs: 5000, longestMs: 60_000 })
// Backoff after a failed refresh of a stale value: the first delay, the longest, and how many keys can have one.
const FIRST_REST_MS = 1000
const LONGEST_REST_MS = 60_000
const MOST_RESTS = 10_000

const shared = new WeakMap()
let moments = 0

/** A load of a key, from the moment the first caller reads the key from the store. */
class Flight {
  askers = 0
  /** The promise of the loaded value, once the load has started. */
  loading = null
  /** The `moment()` at which it started: it sees every change made to its key before that. */
  begun = Infinity
  /** Whether its value must not be stored. */
  superseded = false
  /** Whether it has taken longer than other callers wait for it. */
  overdue = false
  ended = false
  /** The loaded value, `{ value }`, available before it is stored. */
  brought = null
  /** What the callers that share it require of it; defined by the caller of `Flights`. */
  wanted = undefined
  /** Why its value is of no use to some callers; defined by them too. */
  refused = undefined
  /** The flights that its load waits for, with the number of waits for each. */
  waits = new Map()
  #late = new Set()

  /** Records the loaded value before it is stored. */
  arrive(value) {
    this.brought = { value }
  }

  /** Calls `react(false)` when the load is overdue, and `react(true)` when its own caller stops waiting too. Returns a function that cancels this. */
  whenLate(react) {
    this.#late.add(react)
    return () => this.#late.delete(react)
  }

  begin(work, { patienceMs, longestMs }, drop) {
    this.begun = ++moments
    const tell = (last) => [...this.#late].forEach((react) => react(last))
    // Neither keeps the process alive: those who wait for the load do.
    const overdue = () => {
      this.overdue = true
      stop = later(Math.max(1, longestMs - patienceMs), () => tell(true), false)
      drop()
      tell(false)
    }
    let stop = later(patienceMs, overdue, false)
    this.loading = work().finally(() => {
      this.ended = true
      stop()
      drop()
    })
    // Callers that wait get the error themselves. If none does, it must not be an unhandled rejection.
    this.loading.catch(() => {})
  }
}

/** One caller's share in a load. */
class Share {
  constructor(flight, owner, { longestMs }, again) {
    this.flight = flight
    /** The native service, without limits. */
    this.owner = owner
    /** How long the caller waits in all, in ms, even if it joins several loads. */
    this.longestMs = longestMs
    /** Whether this caller's own function does the loading. */
    this.own = again === undefined
    /** Joins another load of the key, or starts one. */
    this.again = again
  }

  get loading() {
    return this.flight.loading
  }
}

/**
 * Loads in progress, at most one a key. A caller joins before it asks the store and leaves when it has its answer, so
 * that one whose miss arrives late still shares the load that an earlier miss began.
 */
class Flights {
  #flights = new Map()
  #rests = new Map()
  #owner

  constructor(owner) {
    this.#owner = owner
  }

  join(key) {
    let flight = this.#flights.get(key)
    if (!flight) this.#flights.set(key, (flight = new Flight()))
    flight.askers++
    return flight
  }

  leave(key, flight) {
    if (--flight.askers === 0 && !flight.loading) this.#drop(key, flight)
  }

  /** Whether a load of this key is running that callers may share. */
  isLoading(key) {
    return Boolean(this.#flights.get(key)?.loading)
  }

  /**
   * A caller's share in the load of a key, for `loadWithin`. Starts a load with `work` if none is running for which `fits` returns
   * true; `fits` is also called for a load about to start. A load that depends on its own key, however indirectly, cannot wait for
   * itself and loads separately.
   */
  load(key, flight, work, { fits = () => true, times = TIMES } = {}) {
    const joined = flight.loading && !flight.overdue
    let current = joined ? flight : (this.#flights.get(key) ?? flight)
    if (current.loading && isWaitedForBy(current)) return this.#alone(current, work, times)
    if (current.loading && (current.overdue || !fits(current))) {
      this.#drop(key, current)
      const { wanted } = current
      const next = this.#flights.get(key)
      current = next?.loading && fits(next) ? next : new Flight()
      current.wanted ??= wanted
    }
    const again = () => this.load(key, flight, work, { fits, times })
    if (current.loading) return new Share(current, this.#owner, times, again)
    fits(current)
    this.#flights.set(key, current)
    current.begin(
      () => loadAround(current, () => work(current)),
      times,
      () => this.#drop(key, current),
    )
    return new Share(current, this.#owner, times)
  }

  #alone(instead, work, times) {
    const flight = new Flight()
    flight.superseded = true
    flight.begin(
      () => loadAround(flight, () => work(flight), instead),
      times,
      () => {},
    )
    return new Share(flight, this.#owner, times)
  }

  /** Prevents later callers from sharing the running load of this key, and that load from storing its value. */
  forget(key) {
    const flight = this.#flights.get(key)
    if (!flight) return
    this.#flights.delete(key)
    flight.superseded = true
  }

  forgetAll() {
    for (const key of [...this.#flights.keys()]) this.forget(key)
  }

  /** Whether the key is in backoff, after a failed refresh of its stale value in this process. */
  rests(key) {
    const rest = this.#rests.get(key)
    return rest !== undefined && now() < rest.until
  }

  /** Starts the key's backoff after a failure, doubled each time. */
  rest(key) {
    const last = this.#rests.get(key)
    const ms = Math.min(last ? 2 * last.ms : FIRST_REST_MS, LONGEST_REST_MS)
    this.#rests.delete(key)
    if (this.#rests.size >= MOST_RESTS) this.#rests.delete(this.#rests.keys().next().value)
    this.#rests.set(key, { ms, until: now() + ms })
  }

  /** Ends the backoff of a key after a successful load. */
  wake(key) {
    if (this.#rests.size > 0) this.#rests.delete(key)
  }

  #drop(key, flight) {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}

/** A logical timestamp in this process, to compare with the start of a flight. */
function moment() {
  return ++moments
}

/** The flights shared by all objects of one native service and one name. */
function flightsOf(handle, name) {
  const origin = originOf(handle)
  let byName = shared.get(origin)
  if (!byName) shared.set(origin, (byName = new Map()))
  let flights = byName.get(name)
  if (!flights) byName.set(name, (flights = new Flights(origin)))
  return flights
}

module.exports = { TIMES, flightsOf, moment }
