import type { RateLimiterOptions, RedisService } from './index.js'

/** Options of a `CinnabarStore`. */
export interface CinnabarStoreOptions extends Pick<RateLimiterOptions, 'onUnavailable'> {
  /** Where requests are counted. Default: the default service. */
  service?: RedisService
  /**
   * The prefix of the keys. Default `'rl:'`. Give each `rateLimit()` a prefix of its own, or they share their counters. It must not overlap
   * with that of anything else on the store: `E_INVALID_SETTINGS`.
   */
  prefix?: string
}

/**
 * A store for express-rate-limit: fixed windows by the store's clock, each of which starts with the first request of a client. Counting is
 * one atomic step, no counter is without a ttl, and `decrement` takes a request back from its own window only.
 *
 * Without a server requests pass, so that a limit does not end in status 500; `onUnavailable: 'local'` counts in each process meanwhile, `'deny'`
 * refuses, to come back a second later, and `'throw'` leaves it to `passOnStoreError`.
 *
 * @example
 * import { rateLimit } from 'express-rate-limit'
 * import { CinnabarStore } from 'cinnabar/express-rate-limit'
 *
 * app.use(rateLimit({ windowMs: 60_000, limit: 100, store: new CinnabarStore() }))
 */
export class CinnabarStore {
  /**
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option. `E_INVALID_SETTINGS` for an invalid prefix, or one that
   * overlaps with another.
   */
  constructor(options?: CinnabarStoreOptions)
  readonly prefix: string
  readonly localKeys: false
  /** Called by `rateLimit()`, with its options. */
  init(options: { windowMs: number; skipFailedRequests?: boolean; skipSuccessfulRequests?: boolean }): void
  /** Returns how often a client was counted, and when its window ends; `undefined` if it was not. */
  get(key: string): Promise<{ totalHits: number; resetTime: Date | undefined } | undefined>
  /** Counts a request. If there is no server to count it, `totalHits` is 1 and `resetTime` is missing. */
  increment(key: string): Promise<{ totalHits: number; resetTime: Date | undefined }>
  /**
   * Takes back the last request that this process has counted of a client, of the last 1000 in its window. Only with `skipFailedRequests` or `skipSuccessfulRequests`, which
   * need it: otherwise it does nothing.
   */
  decrement(key: string): Promise<void>
  /** Forgets what was counted of a client. */
  resetKey(key: string): Promise<void>
}
