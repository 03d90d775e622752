import type { CallLimits } from './calls.js'
import type { RedisService } from './service.js'
import type { SessionManagerOptions } from './session.js'

/** Options of a `RateLimiter`. */
export interface RateLimiterOptions {
  /**
   * The prefix of the keys of `check` and `checkRateLimit`. Default `'rate_limit:'`. It must not overlap with another prefix: see
   * {@link SessionManagerOptions.prefix}.
   */
  prefix?: string
  /**
   * What a check does when the server cannot be reached, or has no memory left to count. Default `'allow'`.
   *
   * - `'allow'` allows the request and `'deny'` refuses it, without counting it; the result has `source: 'fallback'`.
   * - `'local'` counts within this process, from zero; the result has `source: 'local'`. Each process then admits as many requests as
   *   the limit says. Uses at most 16 MB, and removes the least recently used identifiers first. All limiters of one server share these
   *   counters.
   * - `'throw'` rejects.
   */
  onUnavailable?: 'allow' | 'deny' | 'local' | 'throw'
}

/** The result of a check. */
export interface RateLimitResult {
  /** Whether the request is allowed. */
  allowed: boolean
  /** How many more requests this window admits. */
  remaining: number
  /** When the window ends, in milliseconds since 1970. Always set for a refused request; missing for one that was allowed without counting. */
  resetTime?: number
  /**
   * How long to wait until a request may be allowed again, in milliseconds; 0 if this one was allowed. Measured by the store's clock,
   * which may differ from this process's, so use it instead of `resetTime - Date.now()`.
   */
  retryAfterMs: number
  /** How many requests a window admits. */
  limit: number
  /** What counted the request: the store, this process (`'local'`), or nothing (`'fallback'`). */
  source: 'store' | 'local' | 'fallback'
}

/** A limit: how many requests are allowed in which time. */
export interface RateLimit {
  /** How many requests a window admits, at least 1. */
  limit: number
  /** The length of a window, in seconds. */
  windowSeconds: number
}

/** The names of the predefined limits. */
export type RateLimitPreset = 'DEFAULT' | 'API' | 'AUTH' | 'STATIC'

/**
 * Fixed-window rate limits: an integer with a ttl under `rate_limit:{identifier}`, incremented in one atomic step. Every method also
 * exists as a static one, on the default service.
 *
 * An `ip` is the address of the connection or, behind your own proxies, the entry of `X-Forwarded-For` that the outermost of them
 * wrote, counted from the right. The leftmost entry is whatever the client sent.
 *
 * @example
 * const result = await RateLimiter.checkRateLimit(ip, 100, 60)
 * if (!result.allowed) return new Response('Too many requests', { status: 429, headers: RateLimiter.headers(result) })
 */
export interface RateLimiter {
  /**
   * Returns the same limiter with its calls bound to a deadline, a signal or both. A check that exceeds its deadline does what
   * `onUnavailable` says; one whose signal aborts rejects with `E_ABORTED`. If bound again, the shorter time and every signal apply.
   *
   * @example
   * const { allowed } = await RateLimiter.with({ timeoutMs: 50 }).check(ip, 'API')
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  with(limits: CallLimits): RateLimiter
  /**
   * Counts one request and returns whether it is allowed: `limit` (100) requests in `windowSeconds` (3600). Without a server it is
   * allowed, unless `onUnavailable` says otherwise.
   */
  checkRateLimit(identifier: string, limit?: number, windowSeconds?: number): Promise<RateLimitResult>
  /**
   * Resets the counter of an identifier; returns the number of keys removed, 0 or 1. With `onUnavailable: 'local'`, the counter of this
   * process is reset even if the server cannot be reached and this rejects.
   */
  resetRateLimit(identifier: string): Promise<number>
  /** Counts one request under exactly this key, without a prefix; returns whether it is allowed. `window` is in seconds. */
  checkLimit(key: string, limit: number, window: number): Promise<boolean>
  /** Counts one request against a predefined limit (default `'DEFAULT'`) or one of your own. */
  check(identifier: string, preset?: RateLimitPreset | RateLimit): Promise<RateLimitResult>
  /**
   * Builds the key of an address and a route: `ratelimit:{ip}:{endpoint}`, preceded by the limiter's prefix unless that is the
   * default. `check`, `checkRateLimit`, `checkLimit` and `resetRateLimit` use it unchanged, so it names the same counter in all
   * of them.
   *
   * Any two strings are valid, and different pairs give different keys: braces, colons and `%` in the endpoint are encoded, and
   * parts longer than 512 characters are hashed.
   *
   * An identifier that equals such a key is that key, no matter how it was built. So if clients choose identifiers, such as user names,
   * add a prefix of your own: `user:${name}`. An identifier that begins with `ratelimit:` but that this method returns for no pair, for
   * example because it has braces or no second colon, is an identifier like any other.
   */
  keyForRoute(ip: string, endpoint: string): string
  /**
   * Returns the response headers `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset` (in seconds since 1970) and, for a
   * refused request, `Retry-After` (in seconds, at least 1). Send a refusal with status 429. `X-RateLimit-Limit` is left out if neither
   * the result nor `limit` has it.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for a `result` that is not the result of a check, or has an invalid number.
   */
  headers(
    result: Omit<RateLimitResult, 'limit' | 'source'> & { limit?: number },
    limit?: number,
  ): Record<string, string>
}

/** Creates a `RateLimiter`; has each of its methods too, on the default service. */
export interface RateLimiterConstructor extends RateLimiter {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new (service?: RedisService, options?: RateLimiterOptions): RateLimiter
  readonly prototype: RateLimiter
  /** The predefined limits: `DEFAULT` 100 per minute, `API` 1000 per hour, `AUTH` 5 per 5 minutes, `STATIC` 1000 per minute. */
  readonly presets: Readonly<Record<RateLimitPreset, Readonly<RateLimit>>>
}

export const RateLimiter: RateLimiterConstructor
