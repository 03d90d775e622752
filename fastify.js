'use strict'

const { SessionManager } = require('./index.js')
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

// Fastify then gives it no scope of its own, so it applies to the routes of the scope that registers it.
session[Symbol.for('skip-override')] = true
session[Symbol.for('fastify.display-name')] = 'cinnabar'

module.exports = { session }
