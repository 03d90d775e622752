'use strict'

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
      flight = { askers: 0, loading: null, tags: undefined }
      this.#flights.set(key, flight)
    }
    flight.askers++
    return flight
  }

  leave(key, flight) {
    if (--flight.askers === 0 && !flight.loading) this.#drop(key, flight)
  }

  /** The flight's load, begun now by `work` if nobody has. Everyone gets the same value or the same error. */
  load(key, flight, tags, work) {
    if (flight.loading) return flight.loading
    const current = this.#flights.get(key) ?? flight
    if (current.loading) return current.loading
    this.#flights.set(key, current)
    current.tags = tags
    current.loading = work().finally(() => this.#drop(key, current))
    return current.loading
  }

  /** Lets no later caller share the load that runs for this key now. */
  forget(key) {
    this.#flights.delete(key)
  }

  forgetTag(tag) {
    for (const [key, flight] of this.#flights) {
      if (flight.tags?.includes(tag)) this.#flights.delete(key)
    }
  }

  forgetAll() {
    this.#flights.clear()
  }

  #drop(key, flight) {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}

/** The flights that all objects over one native service and one name have in common. */
function flightsOf(handle, name) {
  let byName = shared.get(handle)
  if (!byName) shared.set(handle, (byName = new Map()))
  let flights = byName.get(name)
  if (!flights) byName.set(name, (flights = new Flights()))
  return flights
}

module.exports = { flightsOf }
