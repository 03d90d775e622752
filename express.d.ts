import type { IncomingMessage, ServerResponse } from 'node:http'

import type {
  KnownSessionData,
  PolicyRateLimiter,
  RateLimiter,
  RateLimitHandlerOptions,
  RateLimitOfHandler,
  RateLimitResult,
  RequestSession,
  SessionManager,
} from './index.js'

/** A request behind the middleware. */
export type WithSession<Request, Data extends object = KnownSessionData> = Request & { session: RequestSession<Data> }

/**
 * Middleware for Express, and for any server of Node.js, that sets `request.session` to the session of the request, and commits the response
 * before its headers are sent. A request from another site that may change something gets status 403; with `required`, one without a session
 * gets 401; while the server cannot be reached, 503.
 *
 * @example
 * import { session } from 'cinnabar/express'
 *
 * app.use(session())
 * app.post('/login', async (request, response) => {
 *   await request.session.signIn('ada')
 *   response.redirect(303, '/')
 * })
 * app.get('/profile', session({ required: true }), (request, response) => response.json(request.session))
 */
export function session<Data extends object = KnownSessionData>(options?: {
  /** Where sessions come from. Default: those of the default service. */
  sessions?: SessionManager<Data>
  /** Whether requests without a session are refused. Default `false`. */
  required?: boolean
}): (request: IncomingMessage, response: ServerResponse, next: (error?: unknown) => void) => void

/**
 * Middleware for Express, and for any server of Node.js, that counts requests, and refuses those above the limit with status 429, `Retry-After` and a problem as JSON. Every response
 * has the headers of `RateLimiter.headers`. Who is limited is by default the address of the client, by `clientIp`: behind proxies of your own,
 * say so. With `onUnavailable` `'throw'` or `'deny'`, requests that cannot be counted get status 503.
 *
 * @example
 * import { rateLimit } from 'cinnabar/express'
 *
 * app.use(rateLimit({ limiter, policy: 'api', clientIp: { trustedProxies: 1 } }))
 * app.post('/login', rateLimit({ limiter, policy: 'login', count: 'failures' }), login)
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an invalid option, also a policy that the limiter does not have.
 */
export function rateLimit<
  Request extends IncomingMessage,
  Response extends ServerResponse,
  Limiter extends RateLimiter | PolicyRateLimiter<any> = RateLimiter,
>(
  options: RateLimitOfHandler<Limiter> &
    RateLimitHandlerOptions<
      [request: Request],
      (request: Request, result: RateLimitResult, response: Response) => unknown
    >,
): (request: Request, response: Response, next: (error?: unknown) => void) => void
