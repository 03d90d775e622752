'use strict'

const { SessionManager } = require('./index.js')
const { beforeHeaders } = require('./lib/session/before-headers.js')
const { admit, guardOptions } = require('./lib/session/guard.js')

/** Middleware for Express, or any server of Node.js, that sets `request.session`, and commits the response before its headers are sent. */
function session(options) {
  const guard = guardOptions(options, SessionManager)
  return (request, response, next) => {
    const known = request.session
    const pass = ({ session, refusal }) => {
      if (refusal) return response.writeHead(refusal.status, refusal.headers).end(refusal.body)
      request.session = session
      if (session !== known) beforeHeaders(response, () => session.commit(response))
      next()
    }
    admit(request, guard, known).then(pass, next)
  }
}

module.exports = { session }
