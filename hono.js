'use strict'

const { SessionManager } = require('./index.js')
const { respondIn } = require('./lib/cache/hono-cache.js')
const { readOptions } = require('./lib/cache/response-options.js')
const limits = require('./lib/limit/guard.js')
const { merged } = require('./lib/limit/list-fields.js')
const { remoteAddressOf } = require('./lib/limit/remote-address.js')
const { refused } = require('./lib/limit/with-rate-limit.js')
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

/** Middleware for Hono that counts requests, and refuses those above the limit. */
function rateLimit(options) {
  const guard = limits.guardOptions(options)
  return async (context, next) => {
    const request = context.req.raw
    const remoteAddress = remoteAddressOf(context.env, request)
    const { headers, settle, refusal, result } = await limits.admit(guard, request, { args: [context], remoteAddress })
    if (refusal) return refused(guard, [context], refusal, result)
    await next()
    const { res } = context
    await settle(res.status)
    setHeaders(context, headers)
    return undefined
  }
}

// `Response.error()`, one of a switch of protocols, and one whose body was read cannot be changed: the handler's response matters more.
function setHeaders(context, headers) {
  const { res } = context
  try {
    for (const [name, value] of merged(headers, (name) => res.headers.get(name), true)) context.header(name, value)
  } catch {
    // It stays as it is.
  }
}

/** Middleware for Hono in front of handlers whose responses are cached. */
function cache(options) {
  const own = readOptions(options)
  return (context, next) => respondIn(own, context, next)
}

module.exports = { session, rateLimit, cache }
