'use strict'

const { later, now } = require('./clock.js')
const { originOf } = require('./handle.js')
const { isWaitedForBy, loadAround } = require('./loading.js')

// How long others wait for a load before one of them begins another, and its own caller waits for it, in ms.
const TIMES = Object.freeze({ patienceMs: 5000, longestMs: 60_000 })
// The pause after a load of something stale has failed, the longest that it grows to, and how many keys have one.
const FIRST_REST_MS = 1000
const LONGEST_REST_MS = 60_000
const MOST_RESTS = 10_000

const shared = new WeakMap()
let moments = 0

/** A load, from when the first caller asks the store for its key. */
class Flight {
  askers = 0
  /** The promise of what it brings, once it runs. */
  loading = null
  /** When it began, by `Flights.now`: what had happened to its key before, it has seen. */
  begun = Infinity
  /** Whether what it brings is not to be kept. */
  superseded = false
  /** Whether it takes longer than others wait for it. */
  overdue = false
  ended = false
  /** What it has brought, before that is stored: `{ value }`. */
  brought = null
  /** What those who wait for it want of it; their affair. */
  wanted = undefined
  /** The flights that its load waits for, each with how often. */
  waits = new Map()
  #late = new Set()

  /** Takes note of what the load has brought, before that is stored. */
  arrive(value) {
    this.brought = { value }
  }

  /** Has `react` called when the load is overdue, and again, with `true`, when nobody waits for it any longer. */
  whenLate(react) {
    this.#late.add(react)
    return () => this.#late.delete(react)
  }

  begin(work, { patienceMs, longestMs }, drop) {
    this.begun = ++moments
    const tell = (last) => [...this.#late].forEach((react) => react(last))
    let stop = later(patienceMs, () => {
      this.overdue = true
      stop = later(Math.max(1, longestMs - patienceMs), () => tell(true))
      drop()
      tell(false)
    })
    this.loading = work().finally(() => {
      this.ended = true
      stop()
      drop()
    })
    // Who waits for it hears of a failure; nobody has to wait.
    this.loading.catch(() => {})
  }
}

/** What one caller has in a load. */
class Share {
  constructor(flight, { longestMs }, again) {
    this.flight = flight
    /** How long it is waited for, in ms, one load after the other. */
    this.longestMs = longestMs
    /** Whether it is the caller's own function that loads. */
    this.own = again === undefined
    /** Takes a share in another load of the key, or begins one. */
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

  join(key) {
    let flight = this.#flights.get(key)
    if (!flight) this.#flights.set(key, (flight = new Flight()))
    flight.askers++
    return flight
  }

  leave(key, flight) {
    if (--flight.askers === 0 && !flight.loading) this.#drop(key, flight)
  }

  /** Whether a load of this key runs that others may share. */
  isLoading(key) {
    return Boolean(this.#flights.get(key)?.loading)
  }

  /**
   * A caller's share in the load of a key, for `loadWithin`. `work` begins one if none is running that `fits`, which sees the one
   * that is to begin too. A load that asks for its own key, however far below, loads once more by itself: it cannot wait.
   */
  load(key, flight, work, { fits = () => true, times = TIMES } = {}) {
    const joined = flight.loading && !flight.overdue
    let current = joined ? flight : (this.#flights.get(key) ?? flight)
    if (current.loading && isWaitedForBy(current)) return this.#alone(current, work)
    if (current.loading && (current.overdue || !fits(current))) {
      this.#drop(key, current)
      const { wanted } = current
      const next = this.#flights.get(key)
      current = next?.loading && fits(next) ? next : new Flight()
      current.wanted ??= wanted
    }
    const again = () => this.load(key, flight, work, { fits, times })
    if (current.loading) return new Share(current, times, again)
    fits(current)
    this.#flights.set(key, current)
    current.begin(
      () => loadAround(current, () => work(current)),
      times,
      () => this.#drop(key, current),
    )
    return new Share(current, times)
  }

  #alone(instead, work) {
    const flight = new Flight()
    flight.superseded = true
    flight.begin(
      () => loadAround(flight, () => work(flight), instead),
      TIMES,
      () => {},
    )
    return new Share(flight, TIMES)
  }

  /** Lets no later caller share the load that runs for this key now, and lets that load fill nothing. */
  forget(key) {
    const flight = this.#flights.get(key)
    if (!flight) return
    this.#flights.delete(key)
    flight.superseded = true
  }

  forgetAll() {
    for (const key of [...this.#flights.keys()]) this.forget(key)
  }

  /** Whether loading a stale value anew has failed a short while ago, in this process. */
  rests(key) {
    const rest = this.#rests.get(key)
    return rest !== undefined && now() < rest.until
  }

  /** Lets a key rest after a failure, twice as long each time. */
  rest(key) {
    const last = this.#rests.get(key)
    const ms = Math.min(last ? 2 * last.ms : FIRST_REST_MS, LONGEST_REST_MS)
    this.#rests.delete(key)
    if (this.#rests.size >= MOST_RESTS) this.#rests.delete(this.#rests.keys().next().value)
    this.#rests.set(key, { ms, until: now() + ms })
  }

  /** Ends the rests of a key that was loaded. */
  wake(key) {
    if (this.#rests.size > 0) this.#rests.delete(key)
  }

  #drop(key, flight) {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}

/** A moment of this process, to compare with when a flight began. */
function moment() {
  return ++moments
}

/** The flights that all objects over one native service and one name have in common. */
function flightsOf(handle, name) {
  const origin = originOf(handle)
  let byName = shared.get(origin)
  if (!byName) shared.set(origin, (byName = new Map()))
  let flights = byName.get(name)
  if (!flights) byName.set(name, (flights = new Flights()))
  return flights
}

module.exports = { TIMES, flightsOf, moment }
