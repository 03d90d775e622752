import type { Context, MiddlewareHandler } from 'hono'

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

/**
 * Middleware that counts requests, and refuses those above the limit with status 429, `Retry-After` and a problem as JSON. Every response
 * has the headers of `RateLimiter.headers`. Who is limited is by default the address of the client, by `clientIp`: behind proxies of your own,
 * say so. With `onUnavailable` `'throw'` or `'deny'`, requests that cannot be counted get status 503.
 *
 * The address of the connection is known with `@hono/node-server`, `Deno.serve(app.fetch)` and `Bun.serve(app)`. `onRefused` may return the
 * response to send.
 *
 * @example
 * import { rateLimit } from 'cinnabar/hono'
 *
 * const identify = (c) => c.get('session').userId && `user:${c.get('session').userId}`
 * app.use(rateLimit({ limiter, policy: 'api', identify }))
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an invalid option, also a policy that the limiter does not have.
 */
export function rateLimit<Limiter extends RateLimiter | PolicyRateLimiter<any> = RateLimiter>(
  options: RateLimitOfHandler<Limiter> &
    RateLimitHandlerOptions<
      [context: Context],
      (context: Context, result: RateLimitResult) => Response | void | Promise<Response | void>
    >,
): MiddlewareHandler

/**
 * Middleware in front of handlers whose responses are cached, with the rules of `withCache`: what is stored, `ETag` and 304, `Age`, `Cache-Status`.
 *
 * - What stands in front of it runs for each request and keeps its headers; what stands behind it runs only if the handler is called. `compress()` belongs in
 *   front, and `etag()` is not needed. For `c.error`, nothing is stored.
 * - Of concurrent requests of this process with one key, one calls the handler. The others wait for its response; if that cannot be stored, or is about an
 *   error, each of them calls the handler itself. No request waits longer than `loadTimeoutMs` of the cache (by default 5 s): then one of those that wait calls
 *   the handler itself.
 *
 * @example
 * import { cache } from 'cinnabar/hono'
 *
 * app.get('/products', cache({ ttl: 60, tags: ['products'] }), async (c) => c.json(await loadProducts()))
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
 */
export function cache(options?: CacheMiddlewareOptions<[context: Context]>): MiddlewareHandler
