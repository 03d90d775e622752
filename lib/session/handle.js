'use strict'

const { argumentError, CinnabarError } = require('../error.js')
const { fromJson, jsonOf } = require('../json.js')
const { describe, ownOptions } = require('../options.js')
const { describedOf } = require('./described.js')
const { isCookies } = require('./request-token.js')
const { withSetCookie } = require('./respond.js')

const SIGN_IN_OPTIONS = ['ttl', 'tags']
const START_OPTIONS = ['ttl']
const ROTATE_OPTIONS = ['graceSeconds']
// Requests that a page has sent before it got the new token.
const GRACE_SECONDS = 10

/** The session of one request, from `fromRequest` to the response. */
class RequestSession {
  #native
  #cookie
  #crossSite
  // The token that the browser has, or will have; null without a session.
  #token
  #session
  // The ttl of a session that was given one of its own, in seconds.
  #seconds
  // Whether the response must set or remove the cookie.
  #isChanged = false

  /** `cookie` writes cookies, and `opened` is what the native side has for `token`, or null. */
  constructor(native, cookie, { token, opened, crossSite }) {
    this.#native = native
    this.#cookie = cookie
    this.#crossSite = crossSite
    this.#token = opened?.token ?? (opened && token)
    this.#session = opened?.session ?? null
    if (typeof opened?.ttlMs === 'number') this.#seconds = opened.ttlMs / 1000
    // Browsers remove a cookie at the end of the ttl that it was set with.
    this.#isChanged = opened !== null && (opened.token !== null || opened.renewed)
  }

  get data() {
    return this.#session
  }

  get userId() {
    return this.#session?.userId ?? null
  }

  get crossSite() {
    return this.#crossSite
  }

  get setCookie() {
    return this.#isChanged ? this.#cookie.header(this.#token, this.#seconds) : null
  }

  get signedInAt() {
    const { createdAt } = this.#session ?? {}
    return createdAt === undefined ? null : new Date(createdAt)
  }

  isFresh(seconds) {
    if (!(Number.isFinite(seconds) && seconds > 0)) throw argumentError('seconds must be a number above 0')
    const since = Date.now() - (this.signedInAt ?? NaN)
    return since <= seconds * 1000
  }

  async signIn(userId, data = {}, options) {
    this.#assertSameSite()
    const own = ownOptions(options, SIGN_IN_OPTIONS)
    const { token, ended } = await this.#native.issue(userId, this.#withKept(userId, data), own)
    const before = this.#token
    // The old session ends, since others may know its token.
    const [opened] = await Promise.all([this.#native.open(token), before === null ? 0 : this.#native.destroy(before)])
    if (opened === null) {
      throw new CinnabarError('the user was signed out while signing in', { code: 'E_CONFLICT', retryable: true })
    }
    this.#seconds = own.ttl
    this.#become(token, opened.session)
    return { ended: ended.map(({ publicId, session }) => ({ publicId, session })) }
  }

  async start(data = {}, options) {
    this.#assertSameSite()
    const own = ownOptions(options, START_OPTIONS)
    const token = await this.#native.begin(data, own)
    const before = this.#token
    const [opened] = await Promise.all([this.#native.open(token), before === null ? 0 : this.#native.destroy(before)])
    this.#seconds = own.ttl
    this.#become(token, opened?.session ?? null)
  }

  async devices() {
    const { userId } = this
    return userId === null ? [] : describedOf(await this.#native.describe(userId, this.#token))
  }

  async revoke(publicId) {
    this.#assertSameSite()
    const { userId } = this
    return userId === null ? 0 : this.#native.destroyOf(userId, publicId)
  }

  async revokeOthers() {
    this.#assertSameSite()
    const { userId } = this
    if (userId === null) return 0
    const others = (await this.#native.describe(userId, this.#token)).filter(({ current }) => !current)
    const counts = await Promise.all(others.map(({ publicId }) => this.#native.destroyOf(userId, publicId)))
    return counts.reduce((sum, count) => sum + count, 0)
  }

  async update(changes) {
    this.#assertSameSite()
    if (this.#token === null) return false
    const updated = await this.#native.update(this.#token, changes)
    if (!updated) this.#token = this.#session = null
    else {
      const { createdAt } = this.#session
      this.#session = { ...this.#session, ...fromJson(jsonOf(changes, 'changes')), createdAt }
      // An update renews the ttl.
      this.#isChanged = true
    }
    return updated
  }

  async rotate(options) {
    this.#assertSameSite()
    const { graceSeconds = GRACE_SECONDS } = ownOptions(options, ROTATE_OPTIONS)
    if (this.#token === null) return false
    const token = await this.#native.rotate(this.#token, graceSeconds)
    if (token === null) this.#token = this.#session = null
    else this.#become(token, this.#session)
    return token !== null
  }

  async destroy() {
    this.#assertSameSite()
    const token = this.#token
    // The cookie goes even if the session has ended already.
    this.#become(null, null)
    return token === null ? 0 : this.#native.destroy(token)
  }

  commit(target) {
    if (isCookies(target)) {
      if (this.#isChanged) target.set(...this.#cookie.forCookies(this.#token, this.#seconds))
      return target
    }
    if (!this.#isChanged) return target
    const committed = withSetCookie(target, this.setCookie)
    if (committed === undefined) {
      throw argumentError(
        `commit expects a Response, Headers, a ServerResponse, a reply of Fastify, the context of Hono or the cookies of Next.js, got ${describe(target)}`,
      )
    }
    return committed
  }

  toJSON() {
    return this.#session
  }

  // Who signs in keeps the data of the session, unless it is that of another user.
  #withKept(userId, data) {
    if (this.#session === null || ![String(userId), undefined].includes(this.userId ?? undefined)) return data
    const own = fromJson(jsonOf(data, 'data'))
    return isPlain(own) ? { ...this.#session, ...own } : data
  }

  #become(token, session) {
    this.#token = token
    this.#session = session
    this.#isChanged = true
  }

  #assertSameSite() {
    if (!this.#crossSite) return
    throw new CinnabarError(
      'the request comes from another site, so it may be forged. If that is one of yours, add its origin to trustedOrigins',
      { code: 'E_CROSS_SITE' },
    )
  }
}

// Anything else is rejected by the native side.
function isPlain(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

module.exports = { RequestSession }
