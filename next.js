'use strict'

const { cookies, headers } = require('next/headers')

const { SessionManager } = require('./index.js')
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

module.exports = { session }
