'use strict'

const { SessionManager } = require('./index.js')
const limits = require('./lib/limit/guard.js')
const { merged } = require('./lib/limit/list-fields.js')
const { admit, guardOptions } = require('./lib/session/guard.js')

// What `register` reads itself.
const REGISTER_OPTIONS = ['prefix', 'logLevel', 'logSerializers']

/** A plugin for Fastify that sets `request.session`, and commits the reply. */
async function session(fastify, options) {
  const guard = guardOptions(options, SessionManager, REGISTER_OPTIONS)
  fastify.decorateRequest('session', null)
  fastify.addHook('onRequest', async (request, reply) => {
    const { session, refusal } = await admit(request, guard)
    if (refusal) return reply.code(refusal.status).headers(refusal.headers).send(refusal.body)
    request.session = session
    return undefined
  })
  fastify.addHook('onSend', async (request, reply, payload) => {
    request.session?.commit(reply)
    return payload
  })
}

/** A plugin for Fastify that counts requests, and refuses those above the limit. */
async function rateLimit(fastify, options) {
  const guard = limits.guardOptions(options, REGISTER_OPTIONS)
  const settles = new WeakMap()
  fastify.addHook('onRequest', async (request, reply) => {
    const { headers, settle, refusal, result } = await limits.admit(guard, request)
    if (result) await guard.onRefused?.(request, result, reply)
    // `onRefused` may have responded itself.
    if (reply.sent) return reply
    if (refusal) return reply.code(refusal.status).headers(refusal.headers).send(refusal.body)
    reply.headers(Object.fromEntries(merged(headers, (name) => reply.getHeader(name))))
    settles.set(request, settle)
    return undefined
  })
  fastify.addHook('onResponse', async (request, reply) => settles.get(request)?.(reply.statusCode))
}

// Fastify then gives it no scope of its own, so it applies to the routes of the scope that registers it.
for (const plugin of [session, rateLimit]) {
  plugin[Symbol.for('skip-override')] = true
}
session[Symbol.for('fastify.display-name')] = 'cinnabar'
rateLimit[Symbol.for('fastify.display-name')] = 'cinnabar-rate-limit'

module.exports = { session, rateLimit }
