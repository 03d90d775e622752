import type { MiddlewareHandler } from 'hono'

import type { KnownSessionData, RequestSession, SessionManager } from './index.js'

/**
 * Middleware that sets the variable `session` to the session of the request, and commits the response. A request from another site that
 * may change something gets status 403; with `required`, one without a session gets 401; while the server cannot be reached, 503.
 *
 * @example
 * import { session } from 'cinnabar/hono'
 *
 * app.use(session())
 * app.post('/login', async (c) => {
 *   await c.get('session').signIn('ada')
 *   return c.redirect('/')
 * })
 * app.get('/profile', session({ required: true }), (c) => c.json(c.get('session').data))
 */
export function session<Data extends object = KnownSessionData>(options?: {
  /** Where sessions come from. Default: those of the default service. */
  sessions?: SessionManager<Data>
  /** Whether requests without a session are refused. Default `false`. */
  required?: boolean
}): MiddlewareHandler<{ Variables: { session: RequestSession<Data> } }>
