import type { CallLimits } from './calls.js'
import type { RedisService } from './service.js'
import type { SessionManagerOptions } from './session.js'

/** Options of a `RateLimiter`. */
export interface RateLimiterOptions {
  /**
   * What the keys of `checkRateLimit` begin with. Default `'rate_limit:'`. Must not overlap with another prefix: see
   * {@link SessionManagerOptions.prefix}.
   */
  prefix?: string
  /**
   * What a check does when the server cannot be reached, or has no memory left to count in. Default `'allow'`.
   *
   * - `'allow'` lets pass, `'deny'` refuses: nobody counts, and the answer says `source: 'fallback'`.
   * - `'local'` counts within this process, from zero, and says `source: 'local'`. Each process admits as many as the limit
   *   says. It takes 16 MB at most; whoever came least recently is forgotten first. All limiters of one server share it.
   * - `'throw'` rejects.
   */
  onUnavailable?: 'allow' | 'deny' | 'local' | 'throw'
}

/** What a check found. */
export interface RateLimitResult {
  /** Whether the request may go on. */
  allowed: boolean
  /** How many more may in this window. */
  remaining: number
  /** When the window ends, in ms since 1970. Always there when refused; missing when let pass uncounted. */
  resetTime?: number
  /**
   * How long to wait until a request may be allowed again, in ms; 0 if this one was allowed. Measured by the store's clock, which
   * may differ from this process's, so use this and not `resetTime - Date.now()`.
   */
  retryAfterMs: number
  /** How many a window admits. */
  limit: number
  /** Whether the store counted, or this process by itself (`'local'`), or nobody. */
  source: 'store' | 'local' | 'fallback'
}

/** How many in how long. */
export interface RateLimit {
  /** How many a window admits, at least 1. */
  limit: number
  /** The length of the window in seconds. */
  windowSeconds: number
}

/** Names of the ready-made limits. */
export type RateLimitPreset = 'DEFAULT' | 'API' | 'AUTH' | 'STATIC'

/**
 * Fixed-window limits: a plain integer with a life under `rate_limit:{identifier}`, counted in one atomic step.
 * Every method also exists as a static one, on the default service.
 *
 * An `ip` is the address of the connection or, behind proxies of your own, the entry of `X-Forwarded-For` that the outermost of
 * them wrote, counted from the right. The leftmost entry is whatever the client sent.
 *
 * @example
 * const result = await RateLimiter.checkRateLimit(ip, 100, 60)
 * if (!result.allowed) return new Response('Too many requests', { status: 429, headers: RateLimiter.headers(result) })
 */
export interface RateLimiter {
  /**
   * The same limiter with its calls bound to a deadline, a signal or both. A check that is late returns what `onUnavailable`
   * says; one whose signal aborts rejects with `E_ABORTED`. Bound once more, the shorter time and every signal count.
   *
   * @example
   * const { allowed } = await RateLimiter.with({ timeoutMs: 50 }).check(ip, 'API')
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): RateLimiter
  /** Counts one request: `limit` (100) in `windowSeconds` (3600). Without a server it is let pass, unless `onUnavailable` says otherwise. */
  checkRateLimit(identifier: string, limit?: number, windowSeconds?: number): Promise<RateLimitResult>
  /**
   * Forgets what was counted; returns the number of keys removed, 0 or 1. With `onUnavailable: 'local'`, what this process
   * counted is forgotten even when the server cannot be reached and this rejects.
   */
  resetRateLimit(identifier: string): Promise<number>
  /** Counts one request under exactly this key, without a prefix; returns whether it is allowed. */
  checkLimit(key: string, limit: number, window: number): Promise<boolean>
  /** Counts one request against a ready-made limit (`DEFAULT`) or one of your own. */
  check(identifier: string, preset?: RateLimitPreset | RateLimit): Promise<RateLimitResult>
  /**
   * Builds the key of an address on a route: `ratelimit:{ip}:{endpoint}`, preceded by the limiter's prefix unless that is the
   * default. `check`, `checkRateLimit`, `checkLimit` and `resetRateLimit` use it unchanged, so it names the same counter in all
   * of them.
   *
   * Any two strings are valid, and different pairs give different keys: braces, colons and `%` in the endpoint are encoded, and
   * parts longer than 512 characters are hashed.
   *
   * An identifier that spells such a key is that key, whoever built it. So where strangers choose identifiers, such as names of
   * users, put something of your own before them: `user:${name}`. One that begins with `ratelimit:` and is not what this method
   * returns for any pair, because it has braces or no second colon for example, is an identifier like any other.
   */
  keyForRoute(ip: string, endpoint: string): string
  /**
   * The response headers `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset` (seconds since 1970) and,
   * when refused, `Retry-After` (seconds, at least 1). The status to send with a refusal is 429. `X-RateLimit-Limit` is left out
   * if neither the result nor `limit` says what it is.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for anything that is not a result, or has an invalid number.
   */
  headers(
    result: Omit<RateLimitResult, 'limit' | 'source'> & { limit?: number },
    limit?: number,
  ): Record<string, string>
}

/** Makes a `RateLimiter`; also has each of its methods, on the default service. */
export interface RateLimiterConstructor extends RateLimiter {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new (service?: RedisService, options?: RateLimiterOptions): RateLimiter
  readonly prototype: RateLimiter
  /** Limits for `check`: `DEFAULT` 100 a minute, `API` 1000 an hour, `AUTH` 5 in 5 minutes, `STATIC` 1000 a minute. */
  readonly presets: Readonly<Record<RateLimitPreset, Readonly<RateLimit>>>
}

export const RateLimiter: RateLimiterConstructor
