import type { RateLimiterOptions, RedisService } from './index.js'

/** Options of a `CinnabarThrottlerStorage`. */
export interface CinnabarThrottlerStorageOptions extends Pick<RateLimiterOptions, 'onUnavailable' | 'denyCache'> {
  /** Where requests are counted. Default: the default service. */
  service?: RedisService
  /** The prefix of the keys. Default `'throttler:'`. It must not overlap with that of anything else on the store: `E_INVALID_SETTINGS`. */
  prefix?: string
}

/**
 * A storage for @nestjs/throttler: sliding windows by the store's clock. Counting is one atomic step, so that of any number of requests at
 * the same time, in any number of processes, only `limit` are admitted. Refused requests are not counted.
 *
 * A client that exceeds the limit is blocked for `blockDuration`, by default its ttl, from its first refused request on. Without a server
 * requests pass, unless `onUnavailable` says otherwise.
 *
 * @example
 * import { ThrottlerModule } from '@nestjs/throttler'
 * import { CinnabarThrottlerStorage } from 'cinnabar/nestjs-throttler'
 *
 * ThrottlerModule.forRoot({ throttlers: [{ ttl: 60_000, limit: 100 }], storage: new CinnabarThrottlerStorage() })
 */
export class CinnabarThrottlerStorage {
  /**
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option. `E_INVALID_SETTINGS` for an invalid prefix, or one that
   * overlaps with another.
   */
  constructor(options?: CinnabarThrottlerStorageOptions)
  /** Counts a request of `key` and `throttlerName` if it is allowed. `ttl` and `blockDuration` are in milliseconds, the times of the result in seconds. */
  increment(
    key: string,
    ttl: number,
    limit: number,
    blockDuration: number,
    throttlerName: string,
  ): Promise<{ totalHits: number; timeToExpire: number; isBlocked: boolean; timeToBlockExpire: number }>
}
