'use strict'

const { awaitLoad } = require('./await-load.js')
const { NO_LIMITS, undoIfAborted, withoutSignals } = require('./call-limits.js')
const { now } = require('./clock.js')
const { allowsFallback, argumentError, isUnavailable } = require('./error.js')
const { fromJson, jsonOf } = require('./json.js')
const { Limitable, limitsOf, partsOf, readCall } = require('./limitable.js')
const names = require('./option-names.js')
const { assertFunction, describe } = require('./options.js')
const { optionNames, readArguments } = require('./pubsub/arguments.js')
const { BIND_OPTIONS, End, bindSocket } = require('./session/bind.js')
const { describedOf } = require('./session/described.js')
const { RequestSession, assertPlace, tokenOfHandle } = require('./session/handle.js')
const { SessionCookie } = require('./session/cookie.js')
const { newNames } = require('./session/names.js')
const { isCrossSiteWrite } = require('./session/cross-site.js')
const { withSession } = require('./session/with-session.js')
const { sessionPartsOn } = require('./session/parts.js')
const { presets } = require('./session/presets.js')
const { tokenOf } = require('./session/request-token.js')
const { idsOf, userIdError } = require('./session/user-ids.js')
const { watchSessions } = require('./session/watch.js')
const { assertTtl } = require('./ttl.js')

const CREATE_OPTIONS = Object.keys(names.createSession)
const UPDATE_OPTIONS = Object.keys(names.updateSession)
const VALIDATE_OPTIONS = ['load', 'ttl', 'cookie', 'userId']
const REQUEST_OPTIONS = ['cookie']
const DESCRIBE_OPTIONS = ['current']
const WATCH_OPTIONS = optionNames('onGap')

/** Sessions: plain JSON under `session:{id}`. */
class SessionManager extends Limitable {
  static presets = presets

  constructor(service, options) {
    super(service, () => sessionPartsOn(service, options))
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

  createSession(userId, data = {}, options) {
    if (options === undefined) return this.#created(this.#native.create(userId, data, options))
    try {
      const [sessions, own] = readCall(this, options, CREATE_OPTIONS)
      return this.#created(sessions.#native.create(userId, data, own))
    } catch (error) {
      return Promise.reject(error)
    }
  }

  // Only where the sessions of a user are limited can one lose its place before it exists.
  #created(promise) {
    const { made } = partsOf(this)
    return made.error === undefined && made.isLimited ? promise.then(assertPlace) : promise
  }

  getSession(id, options) {
    const isRequest = typeof id === 'object' && id !== null
    return isRequest || options !== undefined ? this.#sessionOf(id, options) : this.#get(id)
  }

  #get(id) {
    const near = this.#near
    return near ? near.sessions.get(id) : this.#native.get(id)
  }

  // Calls with limits, which may already apply, are made in any case.
  get #near() {
    const { made, shared } = partsOf(this)
    return shared.isNear && limitsOf(this) === NO_LIMITS && made.error === undefined ? made.near : undefined
  }

  async #sessionOf(request, options) {
    const [sessions, { cookie }] = readCall(this, options, REQUEST_OPTIONS)
    const id = this.#tokenIn(request, cookie)
    return id === null ? null : sessions.#get(id)
  }

  async fromRequest(request, options) {
    const [sessions] = readCall(this, options, [])
    const native = sessions.#native
    const { cookie, trustedOrigins, absoluteTtl, rolling } = partsOf(this).made
    const token = tokenOf(request, cookie.name)
    const crossSite = isCrossSiteWrite(request, trustedOrigins)
    const opened = token === null || crossSite ? null : (sessions.#openedNear(token) ?? (await native.open(token)))
    const writer = new SessionCookie(native, cookie, { absoluteTtl, rolling })
    return new RequestSession(native, writer, { token, opened, crossSite })
  }

  #openedNear(token) {
    const copy = this.#near?.sessions.hit(token)
    const { absoluteTtl = Infinity } = partsOf(this).made
    return copy && { session: copy.fresh(), token: null, ttlMs: Math.min(copy.lifeMs, absoluteTtl * 1000) }
  }

  withSession(handler, options) {
    return withSession(this, handler, options)
  }

  // The cookie that `commit` sets; `session` too unless the manager was given one of its own.
  #tokenIn(request, name) {
    if (name !== undefined || typeof request === 'string') return tokenOf(request, name)
    const { cookie, isOwnCookie } = partsOf(this).made
    return tokenOf(request, cookie.name) ?? (isOwnCookie ? null : tokenOf(request))
  }

  updateSession(id, changes, options) {
    const error = userIdError('changes', changes)
    if (error) return Promise.reject(error)
    try {
      const [sessions, own] = readCall(this, options, UPDATE_OPTIONS)
      return sessions.#native.update(id, changes, own)
    } catch (error) {
      return Promise.reject(error)
    }
  }

  destroySession(id) {
    return this.#native.destroy(id)
  }

  extendSession(id, seconds = 3600) {
    return this.#native.extend(id, seconds)
  }

  touch(id, ttl) {
    return this.#native.touch(id, ttl)
  }

  keyOf(id) {
    return this.#native.keyOf(id)
  }

  idOf(key) {
    return this.#native.idOf(key)
  }

  async *ids() {
    for await (const { ids } of newNames(this.#native)) yield* ids
  }

  async length() {
    let count = 0
    for await (const { ids, hashes } of newNames(this.#native)) count += ids.length + hashes.length
    return count
  }

  storeSession(id, data, ttl = 3600) {
    const error = userIdError('data', data)
    return error ? Promise.reject(error) : this.#native.store(id, data, ttl)
  }

  destroyByTag(tag) {
    return this.#native.destroyByTag(tag)
  }

  listSessions(userId) {
    return this.#native.listSessions(userId)
  }

  async describeSessions(userId, options) {
    const [sessions, { current }] = readCall(this, options, DESCRIBE_OPTIONS)
    if (typeof current !== 'string' && current !== undefined && current !== null) {
      throw argumentError(`current must be the id of a session, got ${describe(current)}`)
    }
    return describedOf(await sessions.#native.describe(userId, current))
  }

  destroySessionOf(userId, publicId) {
    return this.#native.destroyOf(userId, publicId)
  }

  async bind(session, socket, options) {
    const [sessions, own] = readCall(this, options, BIND_OPTIONS)
    const token = tokenOfHandle(session)
    if (token === undefined) {
      throw argumentError(`session must be an id, a token or what fromRequest returns, got ${describe(session)}`)
    }
    const end = new End(socket, own.onEnd)
    const about = { token, userId: typeof session === 'string' ? undefined : session.userId }
    // What is bound outlives the limits of this call.
    const lasting = limitsOf(sessions) === NO_LIMITS ? sessions.#native : sessions.#native.within(NO_LIMITS)
    const bind = () => bindSocket(sessions.#native, lasting, about, socket, end, own)
    try {
      return await undoIfAborted(limitsOf(sessions), bind, (connection) => connection?.unbind())
    } catch (error) {
      // A socket that is not bound would stay open after its session.
      end.come('unreachable')
      throw error
    }
  }

  connections(userId) {
    return this.#native.connectionsOf(userId)
  }

  async watch(handler, options) {
    const [sessions, read] = readArguments(this, handler, options, WATCH_OPTIONS)
    const open = () => watchSessions(sessions.#native, handler, read)
    return undoIfAborted(limitsOf(sessions), open, (subscription) => subscription.close())
  }

  async invalidateUser(userId) {
    this.#singleFlight.supersedeAll()
    try {
      return await this.#native.invalidateUser(userId)
    } finally {
      // Loads that started in the meantime may have read the old permissions as well.
      this.#singleFlight.supersedeAll()
    }
  }

  async invalidateToken(request, options) {
    const [sessions, { cookie }] = readCall(this, options, REQUEST_OPTIONS)
    const token = this.#tokenIn(request, cookie)
    if (token === null) return 0
    this.#singleFlight.supersede(token)
    try {
      return await sessions.#native.invalidateToken(token)
    } finally {
      this.#singleFlight.supersede(token)
    }
  }

  validateSession(request, options) {
    return this.#validatedNear(request, options) ?? this.#validateAs(request, options)
  }

  // Options are checked when a user is not near, as at the first call.
  #validatedNear(token, options) {
    const users = typeof token === 'string' ? this.#near?.users : undefined
    const copy = users?.find(token, false)
    if (copy === undefined || !isLoadAlone(options)) return undefined
    users.hits++
    return Promise.resolve(copy.fresh())
  }

  async #validateAs(request, options) {
    const [sessions, { load, ttl = 300, cookie, userId }] = readCall(this, options, VALIDATE_OPTIONS)
    assertFunction(load, 'options.load')
    if (userId !== undefined) assertFunction(userId, 'options.userId')
    assertTtl(ttl, 'ttl')
    const token = this.#tokenIn(request, cookie)
    return token === null ? null : sessions.#validate(token, { load, ttl, userId })
  }

  async #validate(token, own) {
    const near = this.#near?.users.hit(token)
    if (near !== undefined) return near.fresh()
    const calledAt = now()
    const singleFlight = this.#singleFlight
    const joined = singleFlight.join(token)
    let found
    try {
      found = await this.#native.lookup(token, Boolean(joined.promise))
    } catch (error) {
      // Validation must work even if the cache is unreachable or full.
      if (!allowsFallback(error)) throw error
      if (isUnavailable(error)) this.#shared.fallbacks++
    } finally {
      singleFlight.leave(token, joined)
    }
    if (found && found.user !== null) return found.user
    const { ttl, userId } = own
    const wanted = { ttl, userIds: new Set([userId]) }
    const work = (current) => this.#loadUser(current, token, found, own)
    const share = singleFlight.share(token, joined, work, { fits: (current) => fits(current, found?.stamp, wanted) })
    const json = await awaitLoad(limitsOf(this), share, calledAt)
    const error = share.load.errors?.get(userId)
    if (error) throw error
    return fromJson(json)
  }

  async #loadUser(current, token, found, own) {
    // Required lazily, because it is rarely needed.
    const hash = found?.hash ?? require('node:crypto').createHash('sha256').update(token).digest('hex')
    const loaded = (await own.load(hash)) ?? null
    const { ttl, userIds } = current.wanted ?? { ttl: own.ttl, userIds: new Set([own.userId]) }
    const ids = loaded === null ? [] : idsForAll(current, loaded, userIds, own.userId)
    // Read back from JSON, so that the first caller gets the same value as later ones, and each a copy of its own.
    const json = jsonOf(loaded, 'the loaded user')
    if (json === 'null' && loaded !== null)
      throw argumentError('the JSON of the loaded user is null, which means that there is no user')
    current.setLoaded(json)
    if (json === 'null' || !found) return json
    try {
      // Other callers may wait for this too: one that aborts must not fail it for them.
      const limits = limitsOf(this)
      const native = limits.signals.length > 0 ? this.#native.within(withoutSignals(limits)) : this.#native
      await native.fill(hash, found.stamp, fromJson(json), ids, ttl)
    } catch (error) {
      // The user is returned even if the service was disconnected during the load.
      if (!allowsFallback(error) && error.code !== 'E_CLOSED') throw error
      this.#shared.errors++
    }
    return json
  }

  stats() {
    const stats = this.#native.stats()
    const { errors, fallbacks } = this.#shared
    const nearHits = stats.nearHits + this.#nearHits
    return { ...stats, hits: stats.hits + this.#nearHits, nearHits, errors: stats.errors + errors, fallbacks }
  }

  get #nearHits() {
    const { sessions, users } = partsOf(this).made.near ?? {}
    return (sessions?.hits ?? 0) + (users?.hits ?? 0)
  }

  create(userId, data, options) {
    return this.createSession(userId, data, options)
  }

  get(id, options) {
    return this.getSession(id, options)
  }

  update(id, changes, options) {
    return this.updateSession(id, changes, options)
  }

  destroy(id) {
    return this.#native.destroy(id)
  }

  deleteSession(id) {
    return this.#native.destroy(id)
  }
}

// Whether options have what a hit needs, and no limits of the call.
function isLoadAlone(options) {
  try {
    return typeof options?.load === 'function' && options.signal === undefined && options.timeoutMs === undefined
  } catch {
    return false
  }
}

// A load can be shared only if it started with the same stamp. Otherwise a user was signed out since, in some process, and the
// loaded value may be older than that.
function fits(load, stamp, own) {
  if (!load.promise) load.stamp = stamp
  else if (load.stamp !== stamp) load.superseded = true
  if (load.stamp !== stamp) return false
  const { ttl, userIds } = load.wanted ?? own
  load.wanted = { ttl: Math.min(ttl, own.ttl), userIds: new Set([...userIds, ...own.userIds]) }
  return true
}

// The ids of a user by the functions of all callers that share a load. One that throws fails its own callers only.
function idsForAll(load, user, userIds, own) {
  const ids = new Set(idsOf(user, own))
  for (const userId of userIds) {
    try {
      for (const id of idsOf(user, userId)) ids.add(id)
    } catch (error) {
      load.errors ??= new Map()
      load.errors.set(userId, error)
    }
  }
  return [...ids]
}

module.exports = { SessionManager }
