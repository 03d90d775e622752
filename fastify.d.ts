import type { FastifyPluginAsync } from 'fastify'

import type { RequestSession, SessionManager } from './index.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The session of this request. */
    session: RequestSession
  }
}

/**
 * A plugin that sets `request.session` to the session of the request, and commits the reply. A request from another site that may change
 * something gets status 403; with `required`, one without a session gets 401; while the server cannot be reached, 503.
 *
 * @example
 * import { session } from 'cinnabar/fastify'
 *
 * await app.register(session)
 * app.post('/login', async (request, reply) => {
 *   await request.session.signIn('ada')
 *   return reply.redirect('/', 303)
 * })
 */
export const session: FastifyPluginAsync<{
  /** Where sessions come from. Default: those of the default service. */
  sessions?: SessionManager<any>
  /** Whether requests without a session are refused. Default `false`. */
  required?: boolean
}>
