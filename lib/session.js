'use strict'

const { binding } = require('./bridge.js')
const { Parts, bind, limitsWithin, loadWithin, withoutSignals } = require('./call-options.js')
const { allowsFallback, argumentError, isUnavailable } = require('./error.js')
const { fromJson, jsonOf } = require('./json.js')
const { derivedOf, limitsOf, madeOf } = require('./native-service.js')
const { assertFunction, describe, ownOptions } = require('./options.js')
const { claimPrefix } = require('./prefixes.js')
const { tokenOf } = require('./session/request-token.js')
const { idsOf } = require('./session/user-ids.js')
const { flightsOf } = require('./single-flight.js')
const { positiveSeconds } = require('./ttl.js')

const OPTIONS = ['prefix', 'ttl', 'rolling']
const CREATE_OPTIONS = ['ttl', 'tags', 'id']
const VALIDATE_OPTIONS = ['load', 'ttl', 'cookie', 'userId']
const REQUEST_OPTIONS = ['cookie']
const DESCRIBE_OPTIONS = ['current']

/** Sessions: plain JSON under `session:{id}`. */
class SessionManager {
  #made
  #limits
  // Errors hidden from callers, and validations that used `load` alone; shared with the objects that `with()` returns.
  #tally = { failed: 0, fallbacks: 0 }

  constructor(service, options) {
    const parts = Parts.of(service, new.target)
    if (parts) {
      this.#made = parts.made
      this.#limits = parts.limits
      this.#tally = parts.tally
      return
    }
    const own = ownOptions(options, OPTIONS)
    const { prefix = 'session:' } = own
    this.#made = madeOf(service, (handle) => {
      const native = new binding.Sessions(handle, own)
      claimPrefix(handle, 'sessions', prefix)
      return { native, flights: flightsOf(handle, `session ${prefix}`) }
    })
    this.#limits = limitsOf(service)
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
    return bind(SessionManager, this, { made, limits, tally: this.#tally })
  }

  createSession(userId, data = {}, options) {
    if (options === undefined) return this.#native.create(userId, data, options)
    try {
      return this.#native.create(userId, data, ownOptions(options, CREATE_OPTIONS))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  getSession(id, options) {
    const isRequest = typeof id === 'object' && id !== null
    return isRequest || options !== undefined ? this.#sessionOf(id, options) : this.#native.get(id)
  }

  async #sessionOf(request, options) {
    const { cookie } = ownOptions(options, REQUEST_OPTIONS)
    const id = tokenOf(request, cookie)
    return id === null ? null : this.#native.get(id)
  }

  updateSession(id, changes) {
    const refused = refusedOwner('changes', changes)
    return refused ? Promise.reject(refused) : this.#native.update(id, changes)
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
    const refused = refusedOwner('data', data)
    return refused ? Promise.reject(refused) : this.#native.store(id, data, ttl)
  }

  destroyByTag(tag) {
    return this.#native.destroyByTag(tag)
  }

  listSessions(userId) {
    return this.#native.list(userId)
  }

  async describeSessions(userId, options) {
    const { current } = ownOptions(options, DESCRIBE_OPTIONS)
    if (typeof current !== 'string' && current !== undefined && current !== null) {
      throw argumentError(`current must be the id of a session, got ${describe(current)}`)
    }
    const described = await this.#native.describe(userId)
    const own = typeof current === 'string' ? publicIdOf(current) : undefined
    return described.map(({ publicId, ttlMs, session }) => ({
      publicId,
      session,
      ttl: Math.ceil(ttlMs / 1000),
      current: publicId === own,
    }))
  }

  destroySessionOf(userId, publicId) {
    return this.#native.destroyOf(userId, publicId)
  }

  async invalidateUser(userId) {
    this.#flights.forgetAll()
    try {
      return await this.#native.invalidateUser(userId)
    } finally {
      // Loads that started in the meantime may have read the old permissions as well.
      this.#flights.forgetAll()
    }
  }

  async invalidateToken(request, options) {
    const { cookie } = ownOptions(options, REQUEST_OPTIONS)
    const token = tokenOf(request, cookie)
    if (token === null) return 0
    this.#flights.forget(token)
    try {
      return await this.#native.invalidateToken(token)
    } finally {
      this.#flights.forget(token)
    }
  }

  async validateSession(request, options) {
    const { load, ttl = 300, cookie, userId } = ownOptions(options, VALIDATE_OPTIONS)
    assertFunction(load, 'options.load')
    if (userId !== undefined) assertFunction(userId, 'options.userId')
    positiveSeconds(ttl, 'ttl')
    const token = tokenOf(request, cookie)
    if (token === null) return null

    const flight = this.#flights.join(token)
    let found
    try {
      found = await this.#native.lookup(token, Boolean(flight.loading))
    } catch (error) {
      // Validation must work even if the cache is down or full.
      if (!allowsFallback(error)) throw error
      if (isUnavailable(error)) this.#tally.fallbacks++
    } finally {
      this.#flights.leave(token, flight)
    }
    if (found && found.user !== null) return found.user
    const work = (current) => this.#loadUser(current, token, found, { load, ttl, userId })
    const own = { ttl, userIds: new Set([userId]) }
    const shared = this.#flights.load(token, flight, work, { fits: (current) => fits(current, found?.stamp, own) })
    const json = await loadWithin(this.#limits, shared)
    const refused = shared.flight.refused?.get(userId)
    if (refused) throw refused
    return fromJson(json)
  }

  async #loadUser(flight, token, found, own) {
    // Required lazily, because it is rarely needed.
    const hash = found?.hash ?? require('node:crypto').createHash('sha256').update(token).digest('hex')
    const loaded = (await own.load(hash)) ?? null
    const { ttl, userIds } = flight.wanted ?? { ttl: own.ttl, userIds: new Set([own.userId]) }
    const ids = loaded === null ? [] : idsForAll(flight, loaded, userIds, own.userId)
    // Read back from JSON, so that the first caller gets the same value as later ones, and each a copy of its own.
    const json = jsonOf(loaded, 'the loaded user')
    if (json === 'null' && loaded !== null)
      throw argumentError('the JSON of the loaded user is null, which means that there is no user')
    flight.arrive(json)
    if (json === 'null' || !found) return json
    try {
      // Other callers may wait for this too: one that aborts must not fail it for them.
      const { signals } = this.#limits
      const native = signals.length > 0 ? this.#native.within(withoutSignals(this.#limits)) : this.#native
      await native.fill(hash, found.stamp, fromJson(json), ids, ttl)
    } catch (error) {
      // The user is returned even if the service was disconnected during the load.
      if (!allowsFallback(error) && error.code !== 'E_CLOSED') throw error
      this.#tally.failed++
    }
    return json
  }

  stats() {
    const stats = this.#native.stats()
    return { ...stats, errors: stats.errors + this.#tally.failed, fallbacks: this.#tally.fallbacks }
  }

  create(userId, data, options) {
    return this.createSession(userId, data, options)
  }

  get(id, options) {
    return this.getSession(id, options)
  }

  update(id, changes) {
    return this.updateSession(id, changes)
  }

  destroy(id) {
    return this.#native.destroy(id)
  }

  deleteSession(id) {
    return this.#native.destroy(id)
  }
}

// A load can be shared only if it started with the same stamp. Otherwise a user was signed out since, in some process, and the
// loaded value may be older than that.
function fits(flight, stamp, own) {
  if (!flight.loading) flight.stamp = stamp
  else if (flight.stamp !== stamp) flight.superseded = true
  if (flight.stamp !== stamp) return false
  const { ttl, userIds } = flight.wanted ?? own
  flight.wanted = { ttl: Math.min(ttl, own.ttl), userIds: new Set([...userIds, ...own.userIds]) }
  return true
}

// The ids of a user by the functions of all callers that share a load. One that throws fails its own callers only.
function idsForAll(flight, user, userIds, own) {
  const ids = new Set(idsOf(user, own))
  for (const userId of userIds) {
    try {
      for (const id of idsOf(user, userId)) ids.add(id)
    } catch (error) {
      flight.refused ??= new Map()
      flight.refused.set(userId, error)
    }
  }
  return [...ids]
}

// JSON writes these as null or not at all, which means a session without a user.
function refusedOwner(what, data) {
  let userId
  try {
    userId = data?.userId
  } catch {
    return undefined // Writing it as JSON fails too, and says so.
  }
  const isLost = typeof userId === 'number' ? !Number.isFinite(userId) : ['function', 'symbol'].includes(typeof userId)
  if (!isLost) return undefined
  return argumentError(`${what}.userId must be a non-empty string, a whole number or null, not ${describe(userId)}`)
}

// The public id of a session, computed as the addon does. The session id itself is a credential and must not be shown.
function publicIdOf(id) {
  const { createHash } = require('node:crypto')
  return createHash('sha256').update(`the public id of session ${id}`).digest('hex').slice(0, 32)
}

module.exports = { SessionManager }
