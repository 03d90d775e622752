import type { ClientIpOptions } from './client-ip.js'
import type {
  PolicyRateLimiter,
  RateLimit,
  RateLimiter,
  RateLimitHeaderOptions,
  RateLimitPreset,
  RateLimitResult,
} from './limit.js'

/** Which limit stands in front of handlers: that of a policy, or without policies a preset or one of your own. */
export type RateLimitOfHandler<Limiter> =
  Limiter extends PolicyRateLimiter<infer Name>
    ? {
        /** A limiter with policies. */
        limiter: Limiter
        /** The name of the policy. */
        policy: Name
        /** How many requests each counts as. Default 1. */
        cost?: number
        /**
         * What counts: `'all'` requests, or `'failures'`, those whose response has a status of at least 400 or was never begun. A
         * request counts until its response is known, so that attempts at the same time are limited too. Default `'all'`.
         */
        count?: 'all' | 'failures'
      }
    : {
        /** The limiter. Default: that of the default service. */
        limiter?: Limiter
        /** A preset, or a limit. Default `'DEFAULT'`. */
        policy?: RateLimitPreset | RateLimit
      }

/** What the options of every framework have. `Args` are what it passes to the functions among them. */
export interface RateLimitHandlerOptions<Args extends unknown[], Refused> {
  /**
   * Who is limited, such as the user of a session. Default, and for `null`: the address of the client, by `clientIp`; requests of which no
   * address is known share the identifier `'unknown'`. Add a prefix to names that users choose, or they can be addresses.
   */
  identify?: (...args: Args) => string | null | undefined | Promise<string | null | undefined>
  /** Options of `clientIp`: the proxies in front of this process. */
  clientIp?: Omit<ClientIpOptions, 'remoteAddress'>
  /** Whether a request is neither counted nor refused, such as that of a health check. */
  skip?: (...args: Args) => boolean | Promise<boolean>
  /**
   * Called for each request above the limit, before its response is sent. It may respond itself by the time that it returns, or that its promise
   * resolves. If it does not, the response has the headers that it set, and status 429.
   */
  onRefused?: Refused
  /** The form of the headers `RateLimit` and `RateLimit-Policy`. Default 11; `'legacy'` for `X-RateLimit-*` only. */
  draft?: RateLimitHeaderOptions['draft']
}

/** Options of `withRateLimit`. */
export type WithRateLimitOptions<Limiter, Args extends unknown[]> = RateLimitOfHandler<Limiter> &
  RateLimitHandlerOptions<
    Args,
    (request: Args[0], result: RateLimitResult, ...rest: unknown[]) => Response | void | Promise<Response | void>
  >

/**
 * Returns a handler of requests of fetch that counts each, and responds to those above the limit itself: with status 429, `Retry-After`
 * and a problem as JSON, or the response that `onRefused` returns. Every response has the headers of `RateLimiter.headers`. Several
 * limits may stand one in front of the other.
 *
 * The address of the connection comes from what Deno (`info`), Bun (`server`) and `@hono/node-server` pass as the second argument. In
 * Next.js use that of `cinnabar/next`. With `onUnavailable` `'throw'` or `'deny'`, requests that cannot be counted get status 503.
 *
 * @example
 * Deno.serve(withRateLimit(handler, { limiter, policy: 'api' }))
 * Bun.serve({ fetch: withRateLimit(handler, { limiter, policy: 'login', count: 'failures', clientIp: { trustedProxies: 1 } }) })
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an invalid option, also a policy that the limiter does not have.
 */
export function withRateLimit<
  Args extends [request: Request, ...rest: any[]],
  Limiter extends RateLimiter | PolicyRateLimiter<any> = RateLimiter,
>(
  handler: (...args: Args) => Response | Promise<Response>,
  options: WithRateLimitOptions<Limiter, Args>,
): (...args: Args) => Promise<Response>
