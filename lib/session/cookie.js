'use strict'

const { readVariable } = require('../environment-variables.js')

// Browsers accept a cookie of this name only over TLS and from the host itself, so no other host can set it.
const HOST = '__Host-'

// Without a prototype, since `Object.prototype` may be polluted.
const UNSET = Object.freeze({ __proto__: null })

/**
 * The attributes of the cookie: the given ones, and defaults. Only `NODE_ENV` of development and tests make it one that browsers
 * send without TLS. A name is given the prefix `__Host-` only if it is the default one and nothing prevents it.
 */
function cookieOptions(given) {
  // What is no object is rejected by the native side.
  if (given !== undefined && given !== null && (typeof given !== 'object' || Array.isArray(given))) return given
  const isPlain = ['development', 'test'].includes(readVariable('NODE_ENV'))
  const { path = '/', domain, secure = !isPlain, sameSite = 'lax', partitioned = false } = given ?? UNSET
  const isHostOnly = secure === true && path === '/' && domain === undefined
  const { name = isHostOnly ? `${HOST}session` : 'session' } = given ?? UNSET
  return { name, path, domain, secure, sameSite, partitioned }
}

// The most seconds that browsers keep a cookie: 400 days.
const LONGEST = 400 * 86_400

/** Writes the cookie of a session with so many seconds to live. A token that is null removes the cookie. */
class SessionCookie {
  #native
  #options
  #absoluteTtl
  #rolling

  /** `absoluteTtl` is after how many seconds a session ends in any case, and `rolling` whether reading renews it. */
  constructor(native, options, { absoluteTtl = LONGEST, rolling }) {
    this.#native = native
    this.#options = options
    this.#absoluteTtl = absoluteTtl
    this.#rolling = rolling
  }

  /** The value of a `Set-Cookie` header. */
  header(token, seconds) {
    return this.#native.setCookie(token, this.#age(seconds))
  }

  /** The arguments for `set` of the cookies of Next.js. */
  forCookies(token, seconds) {
    const { name, ...attributes } = this.#options
    return [
      name,
      token ?? '',
      { ...attributes, httpOnly: true, maxAge: token === null ? 0 : Math.ceil(this.#age(seconds)) },
    ]
  }

  // The store ends a rolling session that is not used. Its cookie is set once: what renews the session may be a read that cannot set a
  // cookie, and a late response must not set an old one again.
  #age(seconds) {
    return Math.min(this.#rolling ? LONGEST : seconds, this.#absoluteTtl, LONGEST)
  }
}

module.exports = { SessionCookie, cookieOptions }
