'use strict'

const { SessionManager } = require('./index.js')
const { respondTo } = require('./lib/cache/node-cache.js')
const { readOptions } = require('./lib/cache/response-options.js')
const { errorFor } = require('./lib/error.js')
const limits = require('./lib/limit/guard.js')
const { merged } = require('./lib/limit/list-fields.js')
const { settleWhenSent } = require('./lib/limit/settle-when-sent.js')
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
    admit(request, guard, known).then(pass, (reason) => next(errorFor(reason)))
  }
}

/** Middleware for Express, or any server of Node.js, that counts requests, and refuses those above the limit. */
function rateLimit(options) {
  const guard = limits.guardOptions(options)
  return (request, response, next) => {
    const pass = (isAdmitted) => {
      if (isAdmitted) next()
    }
    countIn(guard, request, response).then(pass, (reason) => next(errorFor(reason)))
  }
}

/** Whether the handler is called; if not, the response is sent. */
async function countIn(guard, request, response) {
  const { headers, settle, refusal, result } = await limits.admit(guard, request)
  if (result) await guard.onRefused?.(request, result, response)
  // `onRefused` may have responded itself.
  if (response.headersSent || response.writableEnded) return false
  const entries = refusal ? Object.entries(refusal.headers) : merged(headers, (name) => response.getHeader(name))
  for (const [name, value] of entries) response.setHeader(name, value)
  if (refusal) response.writeHead(refusal.status).end(refusal.body)
  else settleWhenSent(response, settle)
  return refusal === undefined
}

/** Middleware for Express, or any server of Node.js, in front of handlers whose responses are cached. */
function cache(options) {
  const own = readOptions(options)
  return (request, response, next) => {
    respondTo(own, request, response, next).then(
      (proceed) => proceed?.(),
      (reason) => next(errorFor(reason)),
    )
  }
}

module.exports = { session, rateLimit, cache }
