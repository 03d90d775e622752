'use strict'

const { cookies, headers } = require('next/headers')

const { SessionManager } = require('./index.js')
const { argumentError } = require('./lib/error.js')
const { limited } = require('./lib/limit/with-rate-limit.js')
const { guardOptions } = require('./lib/session/guard.js')
const { withSession } = require('./lib/session/with-session.js')
const { ownOptions } = require('./lib/options.js')

const WRITES = ['signIn', 'start', 'update', 'rotate', 'revoke', 'revokeOthers', 'destroy']

/** What an application of Next.js calls: each function is bound to `options.sessions`. */
function session(options) {
  const { sessions = SessionManager } = ownOptions(options, ['sessions'])
  guardOptions({ sessions })
  return Object.freeze({
    getSession: async () => new SessionView(await open(sessions, undefined, await cookies())),
    actionSession: () => actionSession(sessions),
    withSession: (handler, options) => withSession(sessions, handler, options),
  })
}

/** The session of a server action, which sets the cookie as soon as it has changed, since `redirect` throws. */
async function actionSession(sessions) {
  const jar = await cookies()
  const session = await open(sessions, 'POST', jar)
  // The token of the request may have been rotated.
  session.commit(jar)
  for (const name of WRITES) {
    const write = session[name]
    session[name] = async (...args) => {
      try {
        return await write.apply(session, args)
      } finally {
        session.commit(jar)
      }
    }
  }
  return session
}

// The cookies as the action has left them, which `headers` does not show.
async function open(sessions, method, jar) {
  const received = await headers()
  // Nothing says in which method `getSession` is called, but with any that may change something browsers send the origin.
  method ??= received.get('origin') === null ? 'GET' : 'POST'
  const cookie = jar.getAll().map(({ name, value }) => `${name}=${encodeURIComponent(value.toWellFormed())}`)
  const get = (name) => (name === 'cookie' ? cookie.join('; ') : received.get(name))
  return sessions.fromRequest({ method, headers: { get, has: (name) => get(name) !== null } })
}

/** What a server component may do with a session: it cannot set a cookie. */
class SessionView {
  #session

  constructor(session) {
    this.#session = session
  }

  get data() {
    return this.#session.data
  }

  get userId() {
    return this.#session.userId
  }

  get signedInAt() {
    return this.#session.signedInAt
  }

  isFresh(seconds) {
    return this.#session.isFresh(seconds)
  }

  devices() {
    return this.#session.devices()
  }

  toJSON() {
    return this.#session.data
  }
}

/** A route handler or a proxy, in front of which stands a limit. */
function withRateLimit(handler, options) {
  const { identify, clientIp } = { ...options }
  const proxies = clientIp?.trustedProxies
  // Next.js does not pass the address of the connection on, so that all clients would share a limit.
  if (identify === undefined && !(typeof proxies === 'number' && proxies >= 1))
    throw argumentError(
      'withRateLimit needs identify, or clientIp: { trustedProxies } with a number of proxies, at least 1',
    )
  return limited(handler, options, statusOf)
}

// What `redirect` and `notFound` throw.
function statusOf(error) {
  const [kind, status] = typeof error?.digest === 'string' ? error.digest.split(';') : []
  if (kind === 'NEXT_REDIRECT') return 307
  return kind === 'NEXT_HTTP_ERROR_FALLBACK' ? Number(status) : 500
}

module.exports = { session, withRateLimit }
