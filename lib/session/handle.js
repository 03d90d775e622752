'use strict'

const { argumentError, CinnabarError } = require('../error.js')
const { fromJson, jsonOf } = require('../json.js')
const names = require('../option-names.js')
const { describe, isArray, ownOptions } = require('../options.js')
const { describedOf } = require('./described.js')
const { committerOf } = require('./respond.js')
const { userIdError } = require('./user-ids.js')

const SIGN_IN_OPTIONS = ['ttl', 'tags']
const START_OPTIONS = ['ttl']
const UPDATE_OPTIONS = Object.keys(names.updateSession)
const ROTATE_OPTIONS = ['graceSeconds']
// Requests that a page has sent before it got the new token.
const GRACE_SECONDS = 10
const CONFLICT = { code: 'E_CONFLICT', retryable: true }

let tokenOfHandle

/** The session of one request, from `fromRequest` to the response. */
class RequestSession {
  #native
  #cookie
  #crossSite
  // The token of the request, even if it is that of no session.
  #received
  // The token that the browser has, or will have; null without a session.
  #token
  #session
  // The ttl of the session, in seconds.
  #seconds
  // Whether the response must set or remove the cookie.
  #isChanged
  // The last write. Writes of one request run one after the other, so that each finds what the one before it has left.
  #last = Promise.resolve()

  /** `cookie` writes cookies, and `opened` is what the native side has for `token`, or null. */
  constructor(native, cookie, { token, opened, crossSite }) {
    this.#native = native
    this.#cookie = cookie
    this.#crossSite = crossSite
    this.#received = token
    this.#become(opened?.token ?? token, opened)
    // The token of the request may have been rotated.
    this.#isChanged = opened !== null && opened.token !== null
  }

  get data() {
    return this.#session
  }

  get userId() {
    const { userId } = this.#session ?? {}
    return userId === undefined || userId === null ? null : String(userId)
  }

  get crossSite() {
    return this.#crossSite
  }

  get setCookie() {
    return this.#isChanged ? this.#cookie.header(this.#token, this.#seconds) : null
  }

  get signedInAt() {
    const { createdAt } = this.#session ?? {}
    return createdAt === undefined || this.userId === null ? null : new Date(createdAt)
  }

  isFresh(seconds) {
    if (!(Number.isFinite(seconds) && seconds > 0)) throw argumentError('seconds must be a number above 0')
    const since = Date.now() - (this.signedInAt ?? NaN)
    return since <= seconds * 1000
  }

  signIn(userId, data = {}, options) {
    return this.#write(async () => {
      const own = ownOptions(options, SIGN_IN_OPTIONS)
      const issued = await this.#native.issue(userId, this.#withKept(userId, data), own)
      const { token, ended } = assertPlace(issued)
      await this.#replaceBy(token)
      return { ended: ended.map(({ publicId, session }) => ({ publicId, session })) }
    })
  }

  start(data = {}, options) {
    return this.#write(async () => {
      const own = ownOptions(options, START_OPTIONS)
      await this.#replaceBy(await this.#native.begin(data, own))
    })
  }

  async devices() {
    const { userId } = this
    return userId === null ? [] : describedOf(await this.#native.describe(userId, this.#token))
  }

  revoke(publicId) {
    return this.#write(async () => {
      if (this.userId === null) return 0
      const count = await this.#native.destroyOf(this.userId, publicId)
      // It may have been this session, whose cookie has to go too.
      if (count > 0 && (await this.#native.open(this.#token)) === null) this.#become(null, null)
      return count
    })
  }

  revokeOthers() {
    return this.#write(async () => {
      const { userId } = this
      const others = (await this.devices()).filter(({ current }) => !current)
      const counts = await Promise.all(others.map(({ publicId }) => this.#native.destroyOf(userId, publicId)))
      return counts.reduce((sum, count) => sum + count, 0)
    })
  }

  update(changes, options) {
    return this.#write(async () => {
      const error = userIdError('changes', changes)
      if (error) throw error
      const { ttl, remove } = ownOptions(options, UPDATE_OPTIONS)
      if (this.#token === null) return false
      // Converted once, since an object may have other JSON the next time.
      const own = fromJson(jsonOf(changes, 'changes'))
      // Copied, since the caller may change it meanwhile.
      const removed = isArray(remove) ? Array.from(remove) : remove
      if (!(await this.#native.update(this.#token, own, { ttl, remove: removed }))) {
        this.#become(null, null)
        return false
      }
      const { createdAt } = this.#session
      this.#session = { ...this.#session, ...own, createdAt }
      for (const name of removed ?? []) delete this.#session[name]
      if (ttl !== undefined) this.#seconds = ttl
      // An update renews the ttl.
      this.#isChanged = true
      return true
    })
  }

  rotate(options) {
    return this.#write(async () => {
      const { graceSeconds = GRACE_SECONDS } = ownOptions(options, ROTATE_OPTIONS)
      if (this.#token === null) return false
      const token = await this.#native.rotate(this.#token, graceSeconds)
      if (token === null) this.#become(null, null)
      else this.#token = token
      this.#isChanged = true
      return token !== null
    })
  }

  destroy() {
    return this.#write(async () => {
      // One that has just been rotated still ends its session, though it gives no access.
      const token = this.#token ?? this.#received
      // The cookie goes even if the session has ended already.
      this.#become(null, null)
      return token === null ? 0 : this.#native.destroy(token)
    })
  }

  commit(target) {
    const commit = committerOf(target)
    if (commit === undefined) {
      throw argumentError(
        `commit expects a Response, Headers, a ServerResponse, a reply of Fastify, the context of Hono or the cookies of Next.js, got ${describe(target)}`,
      )
    }
    if (!this.#isChanged) return target
    return commit({ header: this.setCookie, arguments: this.#cookie.forCookies(this.#token, this.#seconds) })
  }

  toJSON() {
    return this.#session
  }

  static {
    // The token of a session: of one of a request, which may be null, or one that is given itself. `undefined` for anything else.
    tokenOfHandle = (session) => {
      if (typeof session === 'string') return session
      return typeof session === 'object' && session !== null && #token in session ? session.#token : undefined
    }
  }

  async #write(work) {
    if (this.#crossSite) {
      throw new CinnabarError(
        'the request comes from another site, so it may be forged. If that is one of yours, add its origin to trustedOrigins',
        { code: 'E_CROSS_SITE' },
      )
    }
    const written = this.#last.then(work)
    this.#last = written.catch(() => {})
    return written
  }

  // The session with this token takes the place of the one before, which ends, since others may know its token.
  async #replaceBy(token) {
    const before = this.#token
    let opened
    try {
      opened = await this.#native.open(token)
      if (before !== null) await this.#native.destroy(before)
    } catch (error) {
      // The caller gets an error, so the browser does not get this token.
      await this.#native.destroy(token).catch(() => {})
      throw error
    }
    this.#become(token, opened)
    if (opened === null) {
      throw new CinnabarError(
        'the session ended while it was created: the user was signed out, or signed in elsewhere',
        CONFLICT,
      )
    }
  }

  // Who signs in keeps the data of the session, unless it is that of another user.
  #withKept(userId, data) {
    if (this.#session === null || (this.userId !== null && this.userId !== String(userId))) return data
    const own = fromJson(jsonOf(data, 'data'))
    return isPlain(own) ? { ...this.#session, ...own } : data
  }

  #become(token, opened) {
    this.#token = opened && token
    this.#session = opened?.session ?? null
    this.#seconds = (opened?.ttlMs ?? 0) / 1000
    this.#isChanged = true
  }
}

/** Throws unless a session was created. */
function assertPlace(created) {
  if (created !== null) return created
  throw new CinnabarError('another sign-in of this user took the place of this one', CONFLICT)
}

// Anything else is rejected by the native side.
function isPlain(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

module.exports = { RequestSession, assertPlace, tokenOfHandle }
