import type { NextCacheOptions, NextCacheStats } from './next-cache-handlers.js'

/**
 * The handler with the default settings, on the default service: for pages, for responses of routes and of `fetch`, for `unstable_cache`,
 * and, with `images.customCacheHandler`, for images.
 *
 * @example
 * // next.config.ts
 * export default { cacheHandler: require.resolve('cinnabar/next/cache-handler'), cacheMaxMemorySize: 0 }
 */
declare const handler: handler.NextCacheHandler & {
  /**
   * Creates a handler with settings of its own, in a module that `cacheHandler` names.
   *
   * @example
   * // cache-handler.mjs
   * import { createCacheHandler } from 'cinnabar/next/cache-handler'
   *
   * export default createCacheHandler({ prefix: 'shop:', timeoutMs: 300 })
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  createCacheHandler(
    options?: NextCacheOptions & {
      /** The id of the build, to which pages and images belong. Default: that in the file `BUILD_ID` of the build. */
      buildId?: string
    },
  ): handler.NextCacheHandler
  /** The same, for Next.js. */
  default: handler.NextCacheHandler
}

declare namespace handler {
  /** An object of the handler. Next.js makes one for every request, and is alone in calling its methods. */
  interface NextIncrementalCache {
    /** Resolves to the entry of a key, or to `null` if the key has no valid entry or the store cannot be reached. */
    get(cacheKey: string, context: any): Promise<any>
    /** Stores an entry, or does not if the store cannot be reached. */
    set(cacheKey: string, data: any, context: any): Promise<void>
    /**
     * Invalidates tags for all processes: at once, or, with `durations`, makes them stale until `expire` seconds have passed.
     *
     * @throws {CinnabarError} If that may not have been done.
     */
    revalidateTag(tags: string | string[], durations?: { expire?: number }): Promise<void>
    /** Does nothing: nothing is kept for a request. */
    resetRequestCache(): void
  }

  /** A class for the option `cacheHandler` of Next.js. */
  interface NextCacheHandler {
    new (context?: any): NextIncrementalCache
    /** What this handler has done in this process. */
    stats(): NextCacheStats
  }
}

export = handler
