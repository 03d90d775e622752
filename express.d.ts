import type { IncomingMessage, ServerResponse } from 'node:http'

import type {
  CacheMiddlewareOptions,
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

/**
 * Middleware for Express, and for any server of Node.js, in front of handlers whose responses are cached, with the rules of `withCache`: what is stored,
 * `ETag` and 304, `Age`, `Cache-Status`.
 *
 * - What stands in front of it runs for each request and keeps its headers; what stands behind it runs only if the handler is called. Sessions, limits,
 *   CORS and `compression()` belong in front: what is stored is then plain. A response on which they have put `Set-Cookie`, a private `Cache-Control`
 *   or a `Vary` that the option lacks is not stored. `response.redirect()` of Express varies by `Accept`.
 * - Of concurrent requests of this process with one key, one calls the handler, and its response passes through as it is written. The others wait until it is
 *   complete. If it cannot be stored, or is about an error, each of them calls the handler itself; if its client disconnects before that, one of them
 *   does, and the others wait for that one. No request waits longer than `loadTimeoutMs` of the cache (by default 5 s): then one of those that wait calls the
 *   handler itself. What the handler does is never aborted.
 * - For a response that may be stored, the handler sees the request without `If-None-Match` and `If-Modified-Since`, since a 304 cannot be stored. Its client still
 *   gets 304 if the body is sent in one piece with the headers, as `response.send` and `response.json` do; the headers then also have the `ETag`.
 * - By default a key is the protocol, host and URL, as Express derives them from the headers of trusted proxies.
 *
 * @example
 * import { cache } from 'cinnabar/express'
 *
 * app.use(compression(), session())
 * app.get('/products', cache({ ttl: 60, tags: ['products'] }), async (request, response) => response.json(await loadProducts()))
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
 */
export function cache<Request extends IncomingMessage, Response extends ServerResponse>(
  options?: CacheMiddlewareOptions<[request: Request]>,
): (request: Request, response: Response, next: (error?: unknown) => void) => void
