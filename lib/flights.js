'use strict'

const { originOf } = require('./handle.js')

const shared = new WeakMap()

/**
 * Loads in progress, at most one a key. A caller joins before it asks the store and leaves when it has its answer, so
 * that one whose miss arrives late still shares the load that an earlier miss began.
 */
class Flights {
  #flights = new Map()

  join(key) {
    let flight = this.#flights.get(key)
    if (!flight) {
      flight = { askers: 0, loading: null, tags: undefined, superseded: false, filling: null }
      this.#flights.set(key, flight)
    }
    flight.askers++
    return flight
  }

  leave(key, flight) {
    if (--flight.askers === 0 && !flight.loading) this.#drop(key, flight)
  }

  /**
   * The flight with its load, begun now by `work` if nobody has. `loading` is the same value or the same error for everyone;
   * `arrived` is the value before it is stored, once `work` has called `arrive`.
   */
  load(key, flight, tags, work) {
    if (flight.loading) return flight
    const current = this.#flights.get(key) ?? flight
    if (current.loading) return current
    this.#flights.set(key, current)
    current.tags = tags
    current.arrived = new Promise((resolve) => (current.arrive = resolve))
    current.loading = work(current).finally(() => this.#drop(key, current))
    return current
  }

  /**
   * Lets no later caller share the load that runs for this key now, and lets that load fill nothing. Answers a promise
   * when it is filling already: only what is written after that wins.
   */
  forget(key) {
    const flight = this.#flights.get(key)
    if (!flight) return null
    this.#flights.delete(key)
    flight.superseded = true
    return flight.filling && flight.filling.catch(() => {})
  }

  forgetEach(keys) {
    const filling = keys.map((key) => this.forget(key)).filter(Boolean)
    return filling.length > 0 ? Promise.all(filling) : null
  }

  forgetTag(tag) {
    return this.forgetEach([...this.#flights].filter(([, { tags }]) => tags?.includes(tag)).map(([key]) => key))
  }

  forgetAll() {
    return this.forgetEach([...this.#flights.keys()])
  }

  #drop(key, flight) {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
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

module.exports = { flightsOf }
