'use strict'

const { binding } = require('./bridge.js')
const { isUnavailable } = require('./error.js')
const { flightsOf } = require('./flights.js')
const { handleOf, limitsOf } = require('./handle.js')
const { Parts, bind, limitsWithin, loadWithin, withoutSignals } = require('./limits.js')
const { assertFunction, assertOptions, refuseOptions } = require('./options.js')
const { positiveSeconds } = require('./seconds.js')
const { tokenOf } = require('./token.js')

const OPTIONS = ['prefix', 'ttl', 'rolling']
const CREATE_OPTIONS = ['ttl', 'tags', 'id']
const VALIDATE_OPTIONS = ['load', 'ttl', 'cookie']

/** Sessions: plain JSON under `session:{id}`. */
class SessionManager {
  #native
  #limits
  #flights
  // What went wrong, or was answered by `load` alone, without its caller hearing of it; shared with what `with()` answers.
  #tally = { failed: 0, fallbacks: 0 }

  constructor(service, options) {
    if (service instanceof Parts) {
      this.#native = service.native
      this.#limits = service.limits
      this.#flights = service.flights
      this.#tally = service.tally
      return
    }
    assertOptions(options, OPTIONS)
    const handle = handleOf(service)
    this.#native = new binding.Sessions(handle, options)
    this.#flights = flightsOf(handle, `session ${options?.prefix ?? 'session:'}`)
    this.#limits = limitsOf(service)
  }

  with(options) {
    const limits = limitsWithin(this.#limits, options)
    const native = this.#native.within(limits)
    return bind(SessionManager, this, { native, limits, flights: this.#flights, tally: this.#tally })
  }

  createSession(userId, data = {}, options) {
    const refused = refuseOptions(options, CREATE_OPTIONS)
    return refused ? Promise.reject(refused) : this.#native.create(userId, data, options)
  }

  getSession(id) {
    return this.#native.get(id)
  }

  updateSession(id, changes) {
    return this.#native.update(id, changes)
  }

  destroySession(id) {
    return this.#native.destroy(id)
  }

  extendSession(id, seconds = 3600) {
    return this.#native.extend(id, seconds)
  }

  touch(id) {
    return this.#native.touch(id)
  }

  storeSession(id, data, ttl = 3600) {
    return this.#native.store(id, data, ttl)
  }

  destroyByTag(tag) {
    return this.#native.destroyByTag(tag)
  }

  listSessions(userId) {
    return this.#native.list(userId)
  }

  async invalidateUser(userId) {
    this.#flights.forgetAll()
    try {
      return await this.#native.invalidateUser(userId)
    } finally {
      // Also what began while it ran may have read the user's old rights.
      this.#flights.forgetAll()
    }
  }

  async validateSession(request, options) {
    assertOptions(options, VALIDATE_OPTIONS)
    const { load, ttl = 300, cookie = 'session' } = options ?? {}
    assertFunction(load, 'options.load')
    positiveSeconds(ttl, 'ttl')
    const token = tokenOf(request, cookie)
    if (!token) return null

    const flight = this.#flights.join(token)
    let found
    try {
      found = await this.#native.lookup(token)
    } catch (error) {
      // Who may come in must not depend on whether the cache of that answer is up.
      if (!isUnavailable(error)) throw error
      this.#tally.fallbacks++
    } finally {
      this.#flights.leave(token, flight)
    }
    if (found && found.user !== null) return found.user
    const shared = this.#flights.load(token, flight, (current) => this.#loadUser(current, token, found, load, ttl))
    return loadWithin(this.#limits, shared)
  }

  async #loadUser(flight, token, found, load, ttl) {
    // Loaded here, because it is seldom needed.
    const hash = found?.hash ?? require('node:crypto').createHash('sha256').update(token).digest('hex')
    const user = (await load(hash)) ?? null
    flight.arrive(user)
    if (user === null || !found) return user
    try {
      // Others may wait for this too: one caller that goes away must not fail it for them.
      const { signals } = this.#limits
      const native = signals.length > 0 ? this.#native.within(withoutSignals(this.#limits)) : this.#native
      await native.fill(hash, found.stamp, user, ttl)
    } catch (error) {
      // Whoever disconnects while a user is being loaded has one answered all the same.
      if (!isUnavailable(error) && error.code !== 'E_OUT_OF_MEMORY' && error.code !== 'E_CLOSED') throw error
      this.#tally.failed++
    }
    return user
  }

  stats() {
    const stats = this.#native.stats()
    return { ...stats, errors: stats.errors + this.#tally.failed, fallbacks: this.#tally.fallbacks }
  }

  create(userId, data, options) {
    return this.createSession(userId, data, options)
  }

  get(id) {
    return this.#native.get(id)
  }

  update(id, changes) {
    return this.#native.update(id, changes)
  }

  destroy(id) {
    return this.#native.destroy(id)
  }

  deleteSession(id) {
    return this.#native.destroy(id)
  }
}

module.exports = { SessionManager }
