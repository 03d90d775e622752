import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'

import type {
  CacheMiddlewareOptions,
  PolicyRateLimiter,
  RateLimiter,
  RateLimitHandlerOptions,
  RateLimitOfHandler,
  RateLimitResult,
  RequestSession,
  SessionManager,
} from './index.js'

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

/**
 * A plugin that counts requests, and refuses those above the limit with status 429, `Retry-After` and a problem as JSON. Every response
 * has the headers of `RateLimiter.headers`. Who is limited is by default the address of the client, by `clientIp`: behind proxies of your own,
 * say so. With `onUnavailable` `'throw'` or `'deny'`, requests that cannot be counted get status 503.
 *
 * It applies to the routes of the scope that registers it. `onRefused` responds by calling a method of the reply that sends; returning the reply
 * alone sends nothing.
 *
 * @example
 * import { rateLimit } from 'cinnabar/fastify'
 *
 * await app.register(rateLimit, { limiter, policy: 'api', clientIp: { trustedProxies: 1 } })
 */
export const rateLimit: FastifyPluginAsync<
  (RateLimitOfHandler<PolicyRateLimiter<any>> | RateLimitOfHandler<RateLimiter>) &
    RateLimitHandlerOptions<
      [request: FastifyRequest],
      (request: FastifyRequest, result: RateLimitResult, reply: FastifyReply) => unknown
    >
>

/**
 * A plugin in front of handlers whose responses are cached, with the rules of `withCache`: what is stored, `ETag` and 304, `Age`, `Cache-Status`. It
 * applies to the routes of the scope that registers it.
 *
 * - It decides in the hook `preHandler`. Hooks that run before it run for each request: `onRequest`, `preParsing`, `preValidation` and each `preHandler` of
 *   plugins registered before it. A `preHandler` of the route itself runs only if the handler is called, so do not check there who may see a response.
 * - What it stores is what the hook `onSend` sees, before `@fastify/compress`: strings, bytes, streams and responses of fetch. Streams pass through as they
 *   come. Hijacked replies are not stored.
 * - Of concurrent requests of this process with one key, one calls the handler, and the others wait until its reply is complete. If it cannot be stored,
 *   or is about an error, each of them calls the handler itself; if its client disconnects before that, one of them does, and the others wait for that one.
 *   No request waits longer than `loadTimeoutMs` of the cache (by default 5 s): then one of those that wait calls the handler itself. What the handler does is never
 *   aborted.
 *
 * @example
 * import { cache } from 'cinnabar/fastify'
 *
 * await app.register(cache, { ttl: 60, tags: ['products'] })
 * app.get('/products', () => loadProducts())
 */
export const cache: FastifyPluginAsync<CacheMiddlewareOptions<[request: FastifyRequest]>>
