import type { RedisService } from './index.js'

/** What better-auth takes as `secondaryStorage`. */
export interface SecondaryStorage {
  /** Returns a text, or `null`. */
  get(key: string): Promise<string | null>
  /** Stores a text for `ttl` seconds, or without a ttl until it is deleted. With a ttl of 0 or less it is deleted. */
  set(key: string, value: string, ttl?: number): Promise<void>
  /** Deletes a text. */
  delete(key: string): Promise<void>
  /** Returns a text and deletes it, atomically: of concurrent calls, one gets it. */
  getAndDelete(key: string): Promise<string | null>
  /** Increments a counter, atomically; returns the count. Its ttl, in seconds, begins with the first increment. */
  increment(key: string, ttl: number): Promise<number>
}

/**
 * The secondary storage of better-auth, for sessions, verifications and rate limits: texts under `better-auth:{key}`, as
 * `@better-auth/redis-storage` has them. Without a service it uses the default one.
 *
 * `prefix` is that of the keys, of up to 128 bytes, and must not overlap with that of anything else on the store: `E_INVALID_SETTINGS`.
 *
 * @example
 * import { betterAuth } from 'better-auth'
 * import { secondaryStorage } from 'cinnabar/better-auth'
 *
 * export const auth = betterAuth({ secondaryStorage: secondaryStorage() })
 *
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown option, or if `service` is not a `RedisService`.
 */
export function secondaryStorage(service?: RedisService, options?: { prefix?: string }): SecondaryStorage
