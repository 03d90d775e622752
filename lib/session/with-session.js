'use strict'

const { assertFunction } = require('../options.js')
const { admit, guardOptions } = require('./guard.js')

/**
 * A handler of fetch requests, in front of which stands the session: `handler(request, session, ...rest)` is called with it, and its
 * response gets the cookie that follows from what the handler did.
 */
function withSession(sessions, handler, options) {
  assertFunction(handler, 'handler')
  const guard = guardOptions(options, sessions)
  return async (request, ...rest) => {
    const { session, refusal } = await admit(request, guard)
    if (refusal) return new Response(refusal.body, refusal)
    return session.commit(await handler(request, session, ...rest))
  }
}

module.exports = { withSession }
