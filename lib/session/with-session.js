'use strict'

const { isUnavailable } = require('../error.js')
const { assertFunction, ownOptions } = require('../options.js')
const { problem } = require('./respond.js')

/**
 * A handler of fetch requests, in front of which stands the session: `handler(request, session, ...rest)` is called with it, and its
 * response gets the cookie that follows from what the handler did.
 */
function withSession(sessions, handler, options) {
  assertFunction(handler, 'handler')
  const { required = false } = ownOptions(options, ['required'])
  return async (request, ...rest) => {
    let session
    try {
      session = await sessions.fromRequest(request)
    } catch (error) {
      if (!isUnavailable(error)) throw error
      return problem(503, 'Service Unavailable', 'Sessions cannot be read at the moment.', { 'retry-after': '1' })
    }
    if (session.crossSite) return problem(403, 'Forbidden', 'The request comes from another site.')
    if (required && session.data === null) return problem(401, 'Unauthorized', 'Sign in first.')
    return session.commit(await handler(request, session, ...rest))
  }
}

module.exports = { withSession }
