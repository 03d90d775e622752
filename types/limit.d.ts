import type { CallLimits } from './calls.js'
import type { clientIp } from './client-ip.js'
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
   * What a check does when the server cannot be reached, or has no memory left to count, or this process has too many calls in flight. Default `'allow'`.
   *
   * - `'allow'` allows the request and `'deny'` refuses it, without counting it; the result has `source: 'fallback'`.
   * - `'local'` counts within this process, from zero; the result has `source: 'local'`. Each process then admits as many requests as
   *   the limit says. Uses at most 16 MB, and removes the least recently used identifiers first. All limiters of one server share these
   *   counters.
   * - `'throw'` rejects.
   *
   * The preset `AUTH` counts within this process unless this option is set, so that attempts to sign in are limited without a server too.
   */
  onUnavailable?: 'allow' | 'deny' | 'local' | 'throw'
  /**
   * Whether what the store refused is remembered in this process, for as long as the store would refuse it, so that a denied client costs
   * no call. Default `true`. Its worker threads share what they know, up to 16,384 identifiers. Resets, refunds and overrides in any process end a refusal at once; if the
   * counter is changed by other means, or while the connection for messages is lost, within 10 seconds. Identifiers above about a kilobyte are not remembered. Needs the permission to subscribe to channels that begin with the prefix.
   */
  denyCache?: boolean
}

/** Options of a `RateLimiter` with policies. */
export interface PolicyRateLimiterOptions<
  Policies extends Readonly<Record<string, RateLimitPolicy>>,
> extends RateLimiterOptions {
  /** Limits by name. A name has up to 64 letters, digits, `-`, `_` and `.`. */
  policies: Policies
}

/**
 * A limit with a name.
 *
 * | `algorithm`        | what it admits                                                                                               |
 * | ------------------ | ------------------------------------------------------------------------------------------------------------ |
 * | `'gcra'`           | a token bucket: `burst` requests at once, and `limit` per `per` seconds in the long run, spread evenly. Any `per` seconds have fewer than `burst + limit` requests; with `strict`, at most `limit` |
 * | `'sliding-window'` | at most `limit` requests in any `per` seconds; a request counts for up to a tenth of `per` longer             |
 * | `'fixed-window'`   | `limit` requests in `per` seconds from the first one on; up to twice as many around the end of a window        |
 * | `'calendar'`       | `limit` requests per `'hour'`, `'day'`, `'week'` (from Monday), `'month'` or `'year'` of `timeZone`           |
 *
 * | `'concurrency'`    | `limit` operations at the same time: see {@link PolicyRateLimiter.acquire}                                    |
 *
 * The default is `'gcra'`, or `'calendar'` if `per` is a word. Each takes one atomic step and a small entry in the store, by the store's
 * clock. Refused requests are not counted. Changing a policy keeps what was counted, also while two versions of an application
 * with different ones run side by side.
 */
export type RateLimitPolicy = GcraPolicy | WindowPolicy | CalendarPolicy | ConcurrencyPolicy

/** What every policy has. */
export interface PolicyBase {
  /** How many requests are allowed: a whole number, 0 for none, or `Infinity` for all. */
  limit: number
  /** Whether what it refuses is allowed all the same, with `shadowDenied`, to see what a limit would do. Default `false`. */
  shadow?: boolean
}

/** A token bucket, by the generic cell rate algorithm. */
export interface GcraPolicy extends PolicyBase {
  algorithm?: 'gcra' | 'token-bucket'
  /** In how many seconds the limit is allowed. */
  per: number
  /** How many requests are allowed at once. Without it, `limit`, or half of it with `strict`. */
  burst?: number
  /** Whether `limit` includes the burst, so that no `per` seconds have more requests than that. Default `false`. */
  strict?: boolean
  timeZone?: undefined
  mode?: undefined
}

/** Where hits are counted. */
export interface SharedPolicyBase extends PolicyBase {
  /**
   * Default `'store'`.
   *
   * - `'store'` asks the store at each check.
   * - `'shares'` decides most checks in this process, at once and without a round trip, from hits that the store has already counted as spent:
   *   each process leases a share for up to a second, sized by its own rate and no more than an eighth of what is left, and gives back
   *   what it does not use. All processes together never exceed the limit, whatever happens to one of them; hits that a killed process had
   *   leased are lost until the window ends. A process without a share refuses for up to a hundredth of the time until then, at most a second,
   *   before it asks again. A `block`, `override`, `penalize` or `reset` of an identifier reaches other processes within a second. Pays off where an
   *   identifier has thousands of requests per window, such as a tenant or an API as a whole. Calls with `limit` or `refundable`, `peek`, `wait`
   *   and `checkAll` ask the store, for which leased hits are spent; so does every call on the embedded engine, and beyond 10,000
   *   identifiers at a time or 1,024 characters of one.
   */
  mode?: 'store' | 'shares'
}

/** A window. */
export type WindowPolicy = FixedWindowPolicy | SlidingWindowPolicy

/** A window that starts with its first request. */
export interface FixedWindowPolicy extends SharedPolicyBase {
  algorithm: 'fixed-window'
  /** The length of the window, in seconds. */
  per: number
  burst?: undefined
  strict?: undefined
  timeZone?: undefined
}

/** A window that ends now, at any time. */
export interface SlidingWindowPolicy extends PolicyBase {
  algorithm: 'sliding-window'
  /** The length of the window, in seconds. */
  per: number
  burst?: undefined
  strict?: undefined
  timeZone?: undefined
  mode?: undefined
}

/** A quota for a period of the calendar. */
export interface CalendarPolicy extends SharedPolicyBase {
  algorithm?: 'calendar'
  /** The period. */
  per: 'hour' | 'day' | 'week' | 'month' | 'year'
  /** An IANA time zone, such as `'Europe/Berlin'`. Without it, UTC. */
  timeZone?: string
  burst?: undefined
  strict?: undefined
}

/** A limit of what runs at the same time, in all processes. */
export interface ConcurrencyPolicy extends PolicyBase {
  algorithm: 'concurrency'
  /**
   * For how long a slot stays taken when its process is gone, in milliseconds from 1000 to 3600000. It is renewed three times in that time, however busy JavaScript is.
   * Default `10000`.
   */
  leaseMs?: number
  per?: undefined
  burst?: undefined
  strict?: undefined
  timeZone?: undefined
  mode?: undefined
}

/** What `acquire` returns: a slot, or a refusal (`allowed: false`). */
export interface RateLimitSlot extends RateLimitResult, AsyncDisposable {
  /** Whether the slot is taken: it was neither released nor lost, because the store could not be reached for a whole lease or has lost its data. */
  readonly isTaken: boolean
  /**
   * Releases the slot; returns whether it was still taken. Does nothing for a refusal, nor for a slot that was released with its service.
   * If the store cannot be reached, it rejects, and the release is repeated until the slot is free.
   *
   * @throws {CinnabarError} `E_MAYBE_APPLIED`, `E_UNAVAILABLE` and others of the store.
   */
  release(): Promise<boolean>
}

/** Options of a check under a policy. */
export interface CheckOptions extends CallLimits {
  /** How many requests it counts as: a whole number, 0 included. Default 1. */
  cost?: number
  /** A limit in place of that of the policy, for this call; an `override` of the identifier takes precedence. A burst changes with it. */
  limit?: number
  /** Whether the result has a `charge`, with which it can be refunded or settled. Default `false`. */
  refundable?: boolean
}

/** One check of `checkAll`. */
export interface PolicyCheck<Name extends string> {
  /** The name of the policy. */
  policy: Name
  /** Who is limited. Add a prefix to what clients choose, or they can use up the limits of other identifiers. */
  identifier: string
  /** How many requests it counts as. Default 1. */
  cost?: number
  /** A limit in place of that of the policy. */
  limit?: number
}

/** Counts of a limiter. */
export interface RateLimiterStats {
  /** The number of checks that were allowed. */
  allowed: number
  /** The number of checks that were refused. */
  refused: number
  /** The number of refusals that cost no call (`denyCache`). */
  cached: number
  /** The number of checks that the store did not count because it was unavailable. */
  uncounted: number
}

/** An identifier that was refused. */
export interface RateLimitOffender {
  /** The policy; `null` for a limit without one. */
  policy: string | null
  /** The identifier, or the key of `checkLimit`. */
  identifier: string
  /** How often it was refused. */
  refused: number
}

/** The result of `checkAll`. */
export interface CheckAllResult {
  /** Whether all of them allowed it. */
  allowed: boolean
  /** The result of each check, in order. */
  results: RateLimitResult[]
}

/** The result of a check. */
export interface RateLimitResult {
  /** Whether the request is allowed. */
  allowed: boolean
  /** How many requests are allowed; `Infinity` for all. */
  limit: number
  /** How many more requests are allowed now; `Infinity` for all. */
  remaining: number
  /**
   * When all requests of the limit are allowed again, such as at the end of a window, in milliseconds since 1970. Always set for a refused
   * request that can be allowed later; missing for one that was allowed without counting.
   */
  resetTime?: number
  /** How long until then, in milliseconds by the store's clock. Without a counter, 0 if it was allowed, or how long to wait. */
  resetMs: number
  /**
   * How long to wait until such a request may be allowed, in milliseconds; 0 if this one was allowed, `Infinity` if it never will be, as for
   * a cost above the limit. Measured by the store's clock, which may differ from this process's, so use it instead of
   * `resetTime - Date.now()`.
   */
  retryAfterMs: number
  /**
   * What decided: the store; `'share'`, this process from its share of the limit (`mode: 'shares'`); `'cache'`, a refusal by the store that is remembered in this process; `'local'`, a counter in this process;
   * or `'fallback'`, `onUnavailable` without counting.
   */
  source: 'store' | 'share' | 'cache' | 'local' | 'fallback'
  /** `true` if it exceeded the limit of a policy with `shadow`, which allows it without counting it. */
  shadowDenied?: boolean
  /** What `refund` and `settle` take, if the call was `refundable` and was charged. Keep it on the server. */
  charge?: string
}

/** What `headers` and `problem` read of a result. One made by hand may lack the rest. */
export type CheckedRateLimit = Omit<RateLimitResult, 'limit' | 'source' | 'resetMs'> & {
  limit?: number
  resetMs?: number
}

/** How `headers` writes `RateLimit` and `RateLimit-Policy`. */
export interface RateLimitHeaderOptions {
  /** The number of the draft `draft-ietf-httpapi-ratelimit-headers`, or `'legacy'` for `X-RateLimit-*` only. Default 11. */
  draft?: 11 | 10 | 9 | 8 | 7 | 6 | 'legacy'
  /** The name of the policy, 1 to 256 printable characters of ASCII. Default `'default'`. Drafts before 8 have no names. */
  name?: string
  /** The length of the window, in seconds. Without it, the policy has none, and drafts before 8 leave it out. */
  windowSeconds?: number
  /** The limit. Default: that of the result. */
  limit?: number
}

/** Options of `problem`. */
export interface RateLimitProblemOptions extends RateLimitHeaderOptions {
  /** The names of the policies that were exceeded. Default: `name`. */
  policies?: readonly string[]
}

/** A response, such as `new Response(problem.body, problem)` sends it. */
export interface RateLimitProblem {
  /** 429. */
  status: number
  /** Its headers, with the type `application/problem+json`. */
  headers: Record<string, string>
  /** JSON with `type`, `title`, `status`, `detail` and `violated-policies`. */
  body: string
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
 * Rate limits. Without policies, they are fixed windows: an integer with a ttl under `rate_limit:{identifier}`, incremented in one atomic step. Every method also
 * exists as a static one, on the default service.
 *
 * `clientIp` finds the `ip` of a request, also behind your own proxies.
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
   * Returns counts of this limiter in this process: how many checks were allowed and refused, how many of the refusals cost no call, and
   * how many checks the store did not count because it was unavailable. Each policy of `checkAll` counts as a check; those that would have
   * allowed what another refuses do not.
   */
  stats(): RateLimiterStats
  /**
   * Returns the identifiers that were refused most in this process, the worst first: up to `most` (10, from 1 to 512). 512 are kept; if more are refused, those
   * refused least give way to new ones, whose counts then may be too high, never too low. Identifiers are shortened to 64 characters.
   */
  offenders(most?: number): RateLimitOffender[]
  /**
   * Returns the response headers `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset` (in seconds since 1970) and, for a
   * refused request, `Retry-After` (in seconds, at least 1). Send a refusal with status 429. `X-RateLimit-Limit` is left out if neither
   * the result nor `limit` has it. Numbers are whole, and at least 0.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for a `result` that is not the result of a check, or has an invalid number.
   */
  headers(result: CheckedRateLimit, limit?: number): Record<string, string>
  /**
   * Returns the same headers, and `RateLimit` and `RateLimit-Policy` in the form of a draft of the IETF (by default the newest),
   * with whole numbers up to 999,999,999,999,999:
   *
   * | `draft`                   | form                                                                                        |
   * | ------------------------- | ------------------------------------------------------------------------------------------- |
   * | `11`, `10`, `9`, `8`      | `RateLimit-Policy: "login";q=5;w=300` and `RateLimit: "login";r=4;t=60`                      |
   * | `7`                       | `RateLimit-Policy: 5;w=300` and `RateLimit: limit=5, remaining=4, reset=60`                  |
   * | `6`                       | the same policy, `RateLimit-Limit: 5`, `RateLimit-Remaining: 4` and `RateLimit-Reset: 60`    |
   * | `'legacy'`                | neither                                                                                     |
   *
   * The time of a refused request is that of `Retry-After`; that of an allowed one is the time until all of the limit is allowed again.
   *
   * @example
   * RateLimiter.headers(await limiter.check('login', ip), { name: 'login', windowSeconds: 300 })
   */
  headers(result: CheckedRateLimit, options: RateLimitHeaderOptions): Record<string, string>
  /**
   * Returns the response to a refused request: status 429, the headers of {@link headers}, and a problem (RFC 9457) as JSON that names the
   * policies that were exceeded (`violated-policies`), by default that of `name`.
   *
   * @example
   * const problem = RateLimiter.problem(result, { name: 'login', windowSeconds: 300 })
   * return new Response(problem.body, problem)
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` if the request was allowed, and as `headers`.
   */
  problem(result: CheckedRateLimit, options?: RateLimitProblemOptions): RateLimitProblem
}

/**
 * A `RateLimiter` with policies. An identifier may be any string, also one that a client chose. What a policy knows about it is stored under
 * `rate_limit:{rate_limit:<identifier>}:<policy>`.
 *
 * A policy that does not exist, and an invalid cost or limit, reject with `E_INVALID_ARGUMENT`.
 *
 * @example
 * const limiter = new RateLimiter(redisService, {
 *   policies: {
 *     login: { algorithm: 'gcra', limit: 5, per: 300 },
 *     daily: { limit: 1000, per: 'day', timeZone: 'Europe/Berlin' },
 *   },
 * })
 * const { allowed, retryAfterMs } = await limiter.check('login', ip)
 */
export interface PolicyRateLimiter<Name extends string> extends Omit<RateLimiter, 'with' | 'check'> {
  /** As for `RateLimiter`. */
  with(limits: CallLimits): PolicyRateLimiter<Name>
  /** Counts a request of an identifier if the policy allows it. */
  check(policy: Name, identifier: string, options?: CheckOptions): Promise<RateLimitResult>
  /** Returns what `check` would, and counts nothing. */
  peek(policy: Name, identifier: string, options?: Omit<CheckOptions, 'refundable'>): Promise<RateLimitResult>
  /**
   * Takes one of the slots of an identifier under a policy of algorithm `'concurrency'`, until it is released. If all are taken, the result
   * has `allowed: false`, and `retryAfterMs` says when a lease may end. Slots are released when the service is disconnected, and when a
   * process dies, after `leaseMs`. Without a server, `'local'` does the same as `'allow'`: slots of other processes are not known.
   *
   * @example
   * await using slot = await limiter.acquire('exports', user)
   * if (!slot.allowed) return new Response('Too many exports at the same time', { status: 429 })
   */
  acquire(policy: Name, identifier: string, options?: CallLimits): Promise<RateLimitSlot>
  /**
   * Checks several policies and identifiers in one step: all are counted, or none is. At most 32, each policy once per identifier.
   *
   * In a cluster, the policies of one identifier are checked in one step, but different identifiers are on different nodes. Then each
   * decides on its own, and if one refuses, the others are refunded a round trip later. So no limit is exceeded; for that moment, others
   * may be refused.
   *
   * @example
   * const { allowed } = await limiter.checkAll([
   *   { policy: 'login', identifier: ip },
   *   { policy: 'login', identifier: `email:${email}` }, // with a prefix, or a client could send an address as its email
   * ])
   */
  checkAll(checks: readonly PolicyCheck<Name>[], options?: CallLimits): Promise<CheckAllResult>
  /**
   * Waits until a request is allowed, for at most `timeoutMs` (30,000; up to a day). Under `'gcra'` it takes a turn at once, so waiting
   * callers are allowed in order, each with two calls at most; if the turn would come later than `timeoutMs`, it rejects at once. Under the others it is asked again
   * when a request may be allowed. A `signal` that aborts gives the turn back.
   *
   * @throws {CinnabarError} `E_TIMEOUT` if there is no turn within `timeoutMs`; nothing is counted then. `E_ABORTED` if `signal` aborts.
   */
  wait(
    policy: Name,
    identifier: string,
    options?: { cost?: number; limit?: number; timeoutMs?: number; signal?: AbortSignal },
  ): Promise<RateLimitResult>
  /** Counts requests without asking: `cost` (1), or as many as are left. Returns what is left. */
  penalize(policy: Name, identifier: string, options?: Omit<CheckOptions, 'refundable'>): Promise<RateLimitResult>
  /**
   * Takes a charge back. Only what still counts is given back, and no turn that another caller waits for. Returns `false` if it was
   * refunded or settled before, does not count any more, or is `undefined`, as while the store is unavailable.
   */
  refund(policy: Name, identifier: string, charge: string | undefined, options?: CallLimits): Promise<boolean>
  /**
   * Replaces the cost of a charge by the actual one, once it is known, such as the tokens that a language model has used. A lower one is
   * refunded as by `refund`; a higher one is counted even if it exceeds the limit, and delays what follows. Returns `false`, and counts
   * nothing, for a charge that was refunded or settled before, or that does not count any more and is older than ten minutes.
   *
   * @example
   * const { allowed, charge } = await limiter.check('tokens', user, { cost: 1000, refundable: true })
   * if (allowed) await limiter.settle('tokens', user, charge, (await complete(prompt)).usage.totalTokens)
   */
  settle(
    policy: Name,
    identifier: string,
    charge: string | undefined,
    actual: number,
    options?: CallLimits,
  ): Promise<boolean>
  /** Refuses everything of an identifier for so many seconds. What was counted is kept. A shorter block does not shorten a longer one. */
  block(policy: Name, identifier: string, seconds: number, options?: CallLimits): Promise<boolean>
  /** Ends a block; returns whether there was one. */
  unblock(policy: Name, identifier: string, options?: CallLimits): Promise<boolean>
  /** Ends a block and forgets what was counted; returns whether there was either. An override stays. */
  reset(policy: Name, identifier: string, options?: CallLimits): Promise<boolean>
  /**
   * Gives an identifier another limit (`Infinity` for none) for `ttlSeconds`, or until `restore` is called. It is stored with what was counted, so every process
   * follows it at once and no check costs more.
   */
  override(
    policy: Name,
    identifier: string,
    options: { limit: number; ttlSeconds?: number } & CallLimits,
  ): Promise<boolean>
  /** Ends an override; returns whether there was one. */
  restore(policy: Name, identifier: string, options?: CallLimits): Promise<boolean>
}

/** Creates a `RateLimiter`; has each of its methods too, on the default service. */
export interface RateLimiterConstructor extends RateLimiter {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new <const Policies extends Readonly<Record<string, RateLimitPolicy>>>(
    service: RedisService | undefined,
    options: PolicyRateLimiterOptions<Policies>,
  ): PolicyRateLimiter<keyof Policies & string>
  new (service?: RedisService, options?: RateLimiterOptions): RateLimiter
  readonly prototype: RateLimiter
  /** The predefined limits: `DEFAULT` 100 per minute, `API` 1000 per hour, `AUTH` 5 per 5 minutes, `STATIC` 1000 per minute. */
  readonly presets: Readonly<Record<RateLimitPreset, Readonly<RateLimit>>>
  /** The function of that name. */
  readonly clientIp: typeof clientIp
}

export const RateLimiter: RateLimiterConstructor
