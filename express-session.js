'use strict'

// For the default service.
require('./index.js')

const { Cookie, Session, Store } = require('express-session')

const { allNames } = require('./lib/adapter/names.js')
const { adapterOn } = require('./lib/adapter/native.js')
const { mergedSession } = require('./lib/adapter/session-cookie.js')
const { argumentError } = require('./lib/error.js')
const { assertFunction, describe, hasOption, ownOptions } = require('./lib/options.js')

const OPTIONS = ['service', 'prefix', 'ttl', 'disableTTL', 'disableTouch', 'scanCount', 'serializer']
const LONGEST_SECONDS = 3_155_760_000

/** A store for express-session: JSON under `sess:{sid}`, as connect-redis has it. */
class CinnabarStore extends Store {
  #parts
  // By session object: what it was when this store loaded or saved it, `{ sid, own, stored }`. `own` is the text of the object itself, and
  // `stored` that in the store, which also has the changes of other requests.
  #known = new WeakMap()

  constructor(options) {
    super()
    if (isClient(options)) throw argumentError('client is an option of connect-redis: pass a RedisService as service')
    const own = ownOptions(options, OPTIONS)
    const { service, prefix = 'sess:', ttl = 86_400, scanCount = 100, serializer = JSON } = own
    if (typeof prefix !== 'string') throw argumentError(`prefix must be a string, got ${describe(prefix)}`)
    if (typeof ttl !== 'function' && !(typeof ttl === 'number' && ttl > 0 && ttl <= LONGEST_SECONDS)) {
      throw argumentError('ttl must be a function, or a number of seconds above 0 and up to 3155760000')
    }
    if (!(Number.isInteger(scanCount) && scanCount >= 1 && scanCount <= 1_000_000)) {
      throw argumentError('scanCount must be a whole number from 1 to 1000000')
    }
    assertFunction(serializer?.parse, 'serializer.parse')
    assertFunction(serializer?.stringify, 'serializer.stringify')
    this.prefix = prefix
    this.ttl = ttl
    this.scanCount = scanCount
    this.serializer = serializer
    this.disableTTL = flag(own.disableTTL, 'disableTTL')
    this.disableTouch = flag(own.disableTouch, 'disableTouch')
    this.#parts = adapterOn(service, 'express-session', prefix)
  }

  get(sid, callback) {
    return settle(this.#load(sid), callback)
  }

  set(sid, session, callback) {
    return settle(this.#save(sid, session), callback)
  }

  touch(sid, session, callback) {
    return settle(this.#touch(sid, session), callback)
  }

  destroy(sid, callback) {
    return settle(this.#destroy(sid), callback)
  }

  clear(callback) {
    return settle(this.#clear(), callback)
  }

  length(callback) {
    return settle(
      this.#ids().then((ids) => ids.length),
      callback,
    )
  }

  ids(callback) {
    return settle(this.#ids(), callback)
  }

  all(callback) {
    return settle(this.#all(), callback)
  }

  createSession(request, data) {
    const known = this.#known.get(data)
    const session = super.createSession(request, data)
    if (known) this.#known.set(session, known)
    return session
  }

  get #native() {
    return this.#parts.native
  }

  async #load(sid) {
    const text = await this.#native.get(sid)
    if (text === null || text === '') return null
    const data = await this.serializer.parse(text)
    if (!isObject(data)) return null
    this.#known.set(data, { sid, own: text, stored: text })
    return data
  }

  async #save(sid, session) {
    if (!isObject(session)) throw argumentError(`session must be an object, got ${describe(session)}`)
    const ttl = this.#ttlOf(session)
    if (!(ttl > 0)) return this.#destroy(sid)
    const text = this.serializer.stringify(session)
    if (this.#known.get(session)?.sid === sid) return this.#replace(sid, session, text, ttl)
    await this.#native.set(sid, text, this.#seconds(ttl))
    // Other objects may be stored again on purpose after they were destroyed.
    if (session instanceof Session) this.#known.set(session, { sid, own: text, stored: text })
    return null
  }

  // Renews the expiry in the cookie of a session object with its ttl.
  async #touch(sid, session) {
    if (this.disableTouch || this.disableTTL) return null
    const ttl = this.#ttlOf(session)
    if (!(ttl > 0)) return this.#destroy(sid)
    const known = this.#known.get(session)
    if (known?.sid === sid) {
      const { cookie } = session
      const text = this.serializer.stringify({ ...(await this.serializer.parse(known.own)), cookie })
      return this.#replace(sid, session, text, ttl)
    }
    await this.#native.expire(sid, this.#seconds(ttl))
    return null
  }

  // Stores `text`, with what other requests have changed since the object was loaded; then the ttl is that of the merged session.
  async #replace(sid, session, text, ttl) {
    const known = this.#known.get(session)
    for (let { stored } = known; ;) {
      let [next, left] = [text, ttl]
      if (stored !== known.own) [next, left] = await this.#merged(known.own, text, stored)
      if (!(left > 0)) return this.#destroy(sid)
      const current = await this.#native.replace(sid, stored, next, this.#seconds(left))
      // Another request has destroyed it, so it stays so.
      if (current === null) return null
      if (current === true) {
        this.#known.set(session, { sid, own: text, stored: next })
        return null
      }
      stored = current
    }
  }

  async #merged(...texts) {
    const [before, after, current] = await Promise.all(texts.map((text) => this.serializer.parse(text)))
    const session = isObject(current) ? mergedSession(before, after, current) : after
    const text = await this.serializer.stringify(session)
    return [text, this.#ttlOf({ ...session, cookie: cookieOf(session.cookie) })]
  }

  #seconds(ttl) {
    return this.disableTTL ? undefined : Math.min(ttl, LONGEST_SECONDS)
  }

  async #destroy(sid) {
    await this.#native.remove([sid])
    return null
  }

  async #clear() {
    let cursor = '0'
    do cursor = await this.#native.clear(cursor, this.scanCount)
    while (cursor !== '0' && cursor !== null)
    return null
  }

  async #ids() {
    const ids = []
    for await (const names of allNames(this.#native, this.scanCount)) ids.push(...names)
    return ids
  }

  async #all() {
    const sessions = []
    for await (const names of allNames(this.#native, this.scanCount)) {
      const found = await Promise.all(names.map((sid) => this.#load(sid)))
      for (const [at, data] of found.entries()) if (data !== null) sessions.push(Object.assign(data, { id: names[at] }))
    }
    return sessions
  }

  // In seconds.
  #ttlOf(session) {
    if (typeof this.ttl === 'function') return this.ttl(session)
    const expires = session?.cookie?.expires
    return expires ? (Number(new Date(expires)) - Date.now()) / 1000 : this.ttl
  }
}

/** Passes what a promise settles with to a callback, if there is one, in a turn of its own: whatever it throws is not caught here. */
function settle(promise, callback) {
  if (typeof callback !== 'function') return promise
  const call = (...args) => process.nextTick(callback, ...args)
  promise.then((result) => call(null, result), call)
  return undefined
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isClient(options) {
  try {
    return typeof options === 'object' && options !== null && hasOption(options, 'client')
  } catch {
    return false
  }
}

// As the store of express-session makes it, for a function that computes the ttl.
function cookieOf(data) {
  if (!isObject(data)) return data
  const { expires, originalMaxAge } = data
  const cookie = new Cookie(data)
  if (typeof expires === 'string') cookie.expires = new Date(expires)
  return Object.assign(cookie, { originalMaxAge })
}

function flag(value = false, name) {
  if (typeof value === 'boolean') return value
  throw argumentError(`${name} must be true or false, got ${describe(value)}`)
}

module.exports = { CinnabarStore }
