'use strict'

const { SessionManager } = require('./index.js')
const { admit, guardOptions } = require('./lib/session/guard.js')

/** Middleware for Hono that sets the variable `session`, and commits the response. */
function session(options) {
  const guard = guardOptions(options, SessionManager)
  return async (context, next) => {
    const known = context.get('session')
    const { session, refusal } = await admit(context.req.raw, guard, known)
    if (refusal) return new Response(refusal.body, refusal)
    context.set('session', session)
    await next()
    if (session !== known) session.commit(context)
    return undefined
  }
}

module.exports = { session }
