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

/** Writes the cookie of a session with so many seconds to live. A token that is null removes the cookie. */
class SessionCookie {
  #native
  #options
  #longest

  /** `longest` is after how many seconds a session ends in any case. */
  constructor(native, options, longest = Infinity) {
    this.#native = native
    this.#options = options
    this.#longest = longest
  }

  /** The value of a `Set-Cookie` header. */
  header(token, seconds) {
    return this.#native.setCookie(token, Math.min(seconds, this.#longest))
  }

  /** The arguments for `set` of the cookies of Next.js. */
  forCookies(token, seconds) {
    const { name, ...attributes } = this.#options
    return [
      name,
      token ?? '',
      { ...attributes, httpOnly: true, maxAge: token === null ? 0 : Math.ceil(Math.min(seconds, this.#longest)) },
    ]
  }
}

module.exports = { SessionCookie, cookieOptions }
