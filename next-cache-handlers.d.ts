import type { RedisService } from './index.js'

/**
 * The handler with the default settings, on the default service.
 *
 * @example
 * // next.config.ts
 * const handler = require.resolve('cinnabar/next/cache-handlers')
 * export default { cacheComponents: true, cacheHandlers: { default: handler, remote: handler } }
 */
declare const handlers: handlers.NextCacheHandlers & {
  /**
   * Creates a handler with settings of its own, in a module that `cacheHandlers` names.
   *
   * @example
   * // cache-handlers.mjs
   * import { createCacheHandlers } from 'cinnabar/next/cache-handlers'
   *
   * export default createCacheHandlers({ prefix: 'shop:', timeoutMs: 300 })
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  createCacheHandlers(options?: handlers.NextCacheOptions): handlers.NextCacheHandlers
  /** The same, for Next.js. */
  default: handlers.NextCacheHandlers
}

declare namespace handlers {
  /** The options of both cache handlers of Next.js. Each is read when the handler is created; nothing connects before the first call. */
  interface NextCacheOptions {
    /** The service whose server keeps the cache. Default: the default service, which the environment describes. */
    service?: RedisService
    /**
     * What every key begins with: letters, digits and `_ . : -`, 64 at most. Apps that share a server need one each. All handlers of an app
     * need the same, since they share the states of tags. Default `'next:'`.
     */
    prefix?: string
    /**
     * How long a page waits for the store at most, in milliseconds, each time that it reads or stores something. Once a call has failed, no
     * page waits until a probe, one a second, has found the server again. Default `500`.
     */
    timeoutMs?: number
    /** How long the invalidation of tags may take, in milliseconds, before it rejects. Default `2000`. */
    tagTimeoutMs?: number
    /**
     * After how many seconds an entry is deleted at the latest, whatever Next.js allows: from a minute to 366 days. Default 30 days, `2592000`.
     * Every key has a ttl.
     */
    maxAgeSeconds?: number
    /** Larger entries are not stored. From 1024 to 512 MiB. Default 16 MiB, `16777216`. */
    maxEntryBytes?: number
    /**
     * Gets a line when an outage begins and when it has ended, and one for each kind of error with which the server refuses calls. Default:
     * `console.warn`. `false` turns it off.
     */
    log?: false | ((line: string) => void)
  }

  /** What a handler has done since the process started. */
  interface NextCacheStats {
    /** Reads that found a valid entry. */
    hits: number
    /** Reads that found none, or failed. */
    misses: number
    /** Entries that were stored. */
    stored: number
    /** Entries that were not stored because they were larger than `maxEntryBytes`. */
    tooLarge: number
    /** Reads, writes and invalidations that failed, or were not tried in an outage. */
    failures: number
    /** How often the server could no longer be reached, as all handlers of the service have found. */
    outages: number
  }

  /** An entry of `'use cache'`, as Next.js declares it. */
  interface NextCacheEntry {
    /** The value as a stream: a new one from every `get`. */
    value: ReadableStream<Uint8Array>
    /** The entry's own tags, without those of the path. */
    tags: string[]
    /** For how many seconds a browser may use it. */
    stale: number
    /** When its generation began, in milliseconds since 1970, by the clock of this process. */
    timestamp: number
    /** After how many seconds it is no longer used. */
    expire: number
    /** After how many seconds it is replaced; `-1` if one of its tags was made stale. */
    revalidate: number
  }

  /**
   * A handler for the option `cacheHandlers` of Next.js 16, and `experimental.cacheHandlers` of Next.js 15.
   *
   * `get` checks all tags in the same round trip as it reads the entry, so an invalidation that any process has made is seen by every call
   * after it. It returns `undefined` if the store cannot be reached.
   */
  interface NextCacheHandlers {
    get(cacheKey: string, softTags: string[]): Promise<NextCacheEntry | undefined>
    /** Stores an entry once its stream has ended; if that fails, nothing. Meanwhile `get` of the same key waits in this process. Never rejects. */
    set(cacheKey: string, pendingEntry: Promise<NextCacheEntry>): Promise<void>
    /** Does nothing: no process has states of tags that it would have to refresh. */
    refreshTags(): Promise<void>
    /** Resolves to `Infinity`: the tags of the path are checked by `get`. */
    getExpiration(...tags: (string | string[])[]): Promise<number>
    /**
     * Invalidates tags for all processes: at once, or, with `durations`, makes them stale until `expire` seconds have passed.
     *
     * @throws {CinnabarError} If that may not have been done.
     */
    updateTags(tags: string[], durations?: { expire?: number }): Promise<void>
    /** What Next.js 15 calls in place of `updateTags`. */
    expireTags(...tags: string[]): Promise<void>
    /** What this handler has done in this process. */
    stats(): NextCacheStats
  }
}

export = handlers
