import type { ApiCache, ApiCacheConstructor } from './cache.js'

/** Options of `withCache`. `Args` are what the handler is called with. */
export interface WithCacheOptions<Args extends unknown[] = [request: Request]> {
  /** Where responses are stored. Default: `ApiCache`, on the default service. */
  cache?: ApiCache | ApiCache<'structured'> | ApiCacheConstructor
  /** How long a stored response is fresh, in seconds. Default: the cache's. */
  ttl?: number
  /** How long after `ttl`, in seconds, a response is still returned while a new one is made in the background. Default: not at all. */
  staleWhileRevalidate?: number
  /** Tags for `invalidateByTag`, or a function that returns those of a request. Default: none. */
  tags?: readonly string[] | ((...args: Args) => readonly string[] | Promise<readonly string[]>)
  /**
   * The key of a request: all requests with the same key get the same response. It is a key of the cache, for `invalidate` too, unless `vary` adds
   * to it. `null` and `undefined` pass the request through uncached. Default: by the URL; requests with `Authorization` or `Cookie` then pass through
   * uncached, unless `vary` has these, since their response may be for one user.
   */
  key?: (...args: Args) => string | null | undefined | Promise<string | null | undefined>
  /** Names of request headers on which the response depends. Responses whose `Vary` has others are not stored. Default: none. */
  vary?: readonly string[]
  /**
   * Responses with a larger body are not stored, and are passed on once so much of it has arrived, or at once if `Content-Length` says so. In bytes, up
   * to 64 MiB. Default 1 MiB.
   */
  maxBytes?: number
}

/** Options of `cache`, the middleware of each framework. `Args` are what `key` and `tags` are called with. */
export interface CacheMiddlewareOptions<Args extends unknown[]> extends Omit<
  WithCacheOptions<Args>,
  'staleWhileRevalidate'
> {
  /**
   * How long after `ttl`, in seconds, a response may still be sent. The first request that finds it stale calls the handler and gets what that returns;
   * until then, the others of this process get the stale one. Default: not at all.
   */
  staleWhileRevalidate?: number
}

/**
 * Returns a handler of requests of fetch whose responses are cached: route handlers of Next.js, Hono, `Deno.serve`, `Bun.serve`.
 *
 * - Only `GET` is stored, with status 200, 203, 204, 301 or 308. `HEAD` is served from what `GET` has stored. Everything else is passed on.
 * - Not stored: a response with `Set-Cookie`, with `Cache-Control` `private`, `no-store`, `no-cache` or an age of 0, with a `Vary` that `vary` does not
 *   have, of type `text/event-stream`, or with a body above `maxBytes`. Otherwise `ttl` decides how long it is fresh. What the client asks for in
 *   `Cache-Control` is ignored.
 * - Concurrent requests with one key call the handler once, with one of them. If it throws, all of them get the error; if it throws because that client
 *   disconnected (`AbortError`), each of the others calls the handler itself. Without a server, the handler is called, still once for all concurrent requests of this
 *   process. A load that takes longer than `loadTimeoutMs` of the cache rejects with `E_TIMEOUT`.
 * - If a stale response cannot be replaced, because the handler throws or returns a response that is not stored, the retries back off.
 * - A stored response has its `ETag`, that of the handler or a hash of the body, and `Age`. If the client has it already (`If-None-Match`,
 *   `If-Modified-Since`), the status is 304; a response that is not stored is left as it is. `Cache-Status` (RFC 9211) says what was done: `cinnabar; hit`, or `fwd` with the reason.
 *
 * Add headers about a single request, such as those of limits, outside: `withRateLimit(withCache(handler))`.
 *
 * @example
 * export const GET = withCache(async () => Response.json(await loadProducts()), { ttl: 60, tags: ['products'] })
 * await ApiCache.invalidateByTag('products')
 * @example
 * const key = async (request: Request) => `feed:${(await SessionManager.fromRequest(request)).userId ?? 'all'}`
 * Deno.serve(withCache(handler, { ttl: 30, staleWhileRevalidate: 300, key }))
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option; the handler's call rejects with it if `handler` returns anything but a
 * `Response`.
 */
export function withCache<Args extends [request: Request, ...rest: any[]]>(
  handler: (...args: Args) => Response | Promise<Response>,
  options?: WithCacheOptions<Args>,
): (...args: Args) => Promise<Response>
