'use strict'

const { argumentError, isUnavailable } = require('../error.js')
const { ownOptions } = require('../options.js')

const OPTIONS = ['sessions', 'required']
const PROBLEM = 'application/problem+json'

// Which manager the session of a request comes from.
const managers = new WeakMap()

/**
 * The options of what stands in front of handlers: `sessions`, where their sessions come from, and whether one is `required`. `fallback` is
 * the manager without that option, and `others` are names of options that something else reads.
 */
function guardOptions(options, fallback, others = []) {
  const { sessions = fallback, required = false } = ownOptions(options, [...OPTIONS, ...others])
  if (typeof sessions?.fromRequest !== 'function') throw argumentError('options.sessions must be a SessionManager')
  if (typeof required !== 'boolean') throw argumentError('options.required must be true or false')
  return { sessions, required }
}

/**
 * The session of a request, or why the handler is not called: `{ session }` or `{ refusal: { status, headers, body } }`. `known` is the
 * session that middleware in front of this has read, perhaps that of another manager, which does not count here.
 */
async function admit(request, { sessions, required }, known) {
  let session = managers.get(known) === sessions ? known : undefined
  try {
    session ??= await sessions.fromRequest(request)
    managers.set(session, sessions)
  } catch (error) {
    if (!isUnavailable(error)) throw error
    const refusal = refuse(503, 'Service Unavailable', 'Sessions cannot be read at the moment.')
    refusal.headers['retry-after'] = '1'
    return { refusal }
  }
  if (session.crossSite) return { refusal: refuse(403, 'Forbidden', 'The request comes from another site.') }
  if (required && session.data === null) return { refusal: refuse(401, 'Unauthorized', 'Sign in first.') }
  return { session }
}

// As RFC 9457 describes problems.
function refuse(status, title, detail) {
  const body = JSON.stringify({ type: 'about:blank', title, status, detail })
  return { status, headers: { 'content-type': PROBLEM }, body }
}

module.exports = { admit, guardOptions }
