'use strict'

const { SessionManager } = require('./index.js')
const { FastifyCache } = require('./lib/cache/fastify-cache.js')
const { readOptions } = require('./lib/cache/response-options.js')
const { errorFor } = require('./lib/error.js')
const limits = require('./lib/limit/guard.js')
const { merged } = require('./lib/limit/list-fields.js')
const { settleWhenSent } = require('./lib/limit/settle-when-sent.js')
const { callsAny, replace } = require('./lib/limit/watch-calls.js')
const { admit, guardOptions } = require('./lib/session/guard.js')

// What `register` reads itself.
const REGISTER_OPTIONS = ['prefix', 'logLevel', 'logSerializers']

/** A plugin for Fastify that sets `request.session`, and commits the reply. */
async function session(fastify, options) {
  const guard = guardOptions(options, SessionManager, REGISTER_OPTIONS)
  fastify.decorateRequest('session', null)
  const open = async (request, reply) => {
    const { session, refusal } = await admit(request, guard)
    if (refusal) return refuse(reply, refusal)
    request.session = session
    return true
  }
  fastify.addHook('onRequest', continueIf(open))
  fastify.addHook('onSend', async (request, reply, payload) => {
    request.session?.commit(reply)
    return payload
  })
}

/** A plugin for Fastify that counts requests, and refuses those above the limit. */
async function rateLimit(fastify, options) {
  const guard = limits.guardOptions(options, REGISTER_OPTIONS)
  fastify.addHook(
    'onRequest',
    continueIf((request, reply) => countIn(guard, request, reply)),
  )
}

/** A plugin for Fastify in front of handlers whose responses are cached. */
async function cache(fastify, options) {
  const responses = new FastifyCache(readOptions(options, REGISTER_OPTIONS))
  fastify.addHook('preHandler', (request, reply, done) => {
    responses.respond(request, reply, done).then(
      (isPassed) => isPassed && done(),
      (reason) => done(errorFor(reason)),
    )
  })
  fastify.addHook('onSend', (request, reply, payload, done) => done(null, responses.replace(request, reply, payload)))
}

/**
 * A hook that goes on to the handler if `admits` resolves to true; if not, the response is sent, maybe after other hooks. A hook that returns
 * the reply would go on, too, if the client closed the connection before that.
 */
function continueIf(admits) {
  return (request, reply, done) => {
    const pass = (isAdmitted) => {
      if (isAdmitted) done()
    }
    admits(request, reply).then(pass, (reason) => done(errorFor(reason)))
  }
}

function refuse(reply, { status, headers, body }) {
  reply.code(status).headers(headers).send(body)
  return false
}

/** Whether the handler is called; if not, the response is sent. */
async function countIn(guard, request, reply) {
  const { headers, settle, refusal, result } = await limits.admit(guard, request)
  if (result && (await hasResponded(guard, request, result, reply))) return false
  if (refusal) return refuse(reply, refusal)
  reply.headers(Object.fromEntries(merged(headers, (name) => reply.getHeader(name))))
  settleWhenSent(reply.raw, settle)
  return true
}

/** Calls `onRefused`; returns whether that has responded itself. */
async function hasResponded({ onRefused }, request, result, reply) {
  // A reply is a thenable that waits until it is sent, so that an `onRefused` which returns it would wait for itself.
  const restore = replace(reply, 'then', undefined)
  try {
    const hasSent = await callsAny(reply, ['send', 'callNotFound'], () => onRefused?.(request, result, reply))
    return hasSent || reply.sent || reply.raw.headersSent
  } finally {
    restore()
  }
}

// Fastify then gives it no scope of its own, so it applies to the routes of the scope that registers it.
for (const plugin of [session, rateLimit, cache]) {
  plugin[Symbol.for('skip-override')] = true
}
session[Symbol.for('fastify.display-name')] = 'cinnabar'
rateLimit[Symbol.for('fastify.display-name')] = 'cinnabar-rate-limit'
cache[Symbol.for('fastify.display-name')] = 'cinnabar-cache'

module.exports = { session, rateLimit, cache }
