import type { CallLimits } from './calls.js'
import type { Frozen, JsonInput, Jsonify } from './json.js'
import type { RedisService } from './service.js'
import type { SessionEncryption, SessionEncryptionKey, SessionManagerOptions } from './session.js'

/** Counts since the object was created. */
export interface CacheStats {
  /** Lookups that found a value. */
  hits: number
  /** Lookups that found none. */
  misses: number
  /** Failures of the store, including those that a fallback hid from the caller. */
  errors: number
}

/** When loaded values are replaced, and how long they and failures last: options of `getOrSet` and `lookup`, or for all calls of a cache. */
export interface CacheLoadOptions {
  /**
   * From which share of its ttl on a fresh value is replaced, so that no caller waits for a load: with `0.8`, a hit in the last fifth of its ttl
   * returns the value and loads a new one in the background, once in this process, or once in all with `sharedLoads`. If that fails, this
   * process retries after a second, and doubles the wait after each further failure, up to a minute. It applies to values that were loaded with
   * this option, which are stored with a header, and not to middleware, which cannot make a response without its request. Above 0 and
   * below 1. Default: a value is replaced only after its ttl.
   */
  eagerRefresh?: number
  /**
   * By which share of its `ttl` a loaded value is at most fresh for a shorter time, at random, so that values that were loaded together do not
   * expire together. From 0 to 0.9. It does not apply to `setTtl` of a load, nor to `set` and `setMany`. Default: `0.01` for a ttl of 60
   * seconds or more, otherwise `0`.
   */
  jitter?: number
  /** How long a loaded `null` is fresh, in seconds, if that is shorter than `ttl`. Default: as long as any value. */
  nullTtl?: number
  /**
   * For how long after a failed load callers in this process get its error instead of another load, in seconds. A value that is found
   * meanwhile, by whatever process it was stored, and an invalidation or a `set` by this process end that. It does not apply to `withCache` and
   * middleware. Default: not at all.
   */
  errorTtl?: number
}

/** Options of an `ApiCache`. */
export interface ApiCacheOptions extends CacheLoadOptions {
  /**
   * The prefix of the keys. Default `'api:'`. It must not overlap with another prefix: see {@link SessionManagerOptions.prefix}. With
   * `''`, keys are used unchanged, even if something else uses them too, and patterns are rejected.
   */
  prefix?: string
  /** The default ttl of a value, in seconds; `Infinity` is for ever. Default `300`. */
  ttl?: number
  /**
   * The timeout of a `load`, in milliseconds from 1 to 2^31. After that its caller gets `E_TIMEOUT`, and the callers that shared it start
   * another load of its key. A result that arrives up to a minute later is still stored. Default: a caller waits 60,000 for its own load,
   * and 5000 for another caller's before it starts its own. `.with({ timeoutMs })` limits single calls.
   */
  loadTimeoutMs?: number
  /**
   * What reads (`get`, `getMany`, `getCachedResponse`, `getImageInfo`) do when the server cannot be reached: find nothing (`'miss'`), which
   * `stats().errors` counts, or reject (`'throw'`). `getOrSet` loads in either case. Default `'miss'`.
   */
  onUnavailable?: 'miss' | 'throw'
  /**
   * Caches values near: in the memory of this process, shared by its threads, so that reading them again costs no call. `true` is
   * `{ mode: 'push' }`. Default: not at all. See {@link NearOptions}.
   */
  near?: boolean | NearOptions
  /**
   * Whether `getOrSet` loads a value once for all processes: one of them loads, and the others wait for its value. They wait for 5000 ms, or
   * half of `loadTimeoutMs`, and then load themselves; so they do if the load fails or has no value. A process
   * that ends while it loads is noticed after three seconds, and one of the others loads. Loads in two processes that need each other's
   * values wait in vain. Default `false`: each process loads once.
   */
  sharedLoads?: boolean
  /**
   * Whether `clear` costs one call, however many values there are. Each value is then stored with a header, as one with tags is, and
   * reading it reads one more key, in a cluster of one node. It does not find values that were stored without this option, so all caches
   * with the prefix must have the same. Default `false`: values without tags are plain JSON, and `clear` removes each of them.
   */
  clearable?: boolean
  /**
   * What values may be. `'json'`: what JSON can represent, stored as it is. `'structured'`: also `Date`, `Map`, `Set`, `bigint` of up to 10,000
   * digits, bytes, `RegExp`, `URL`, `undefined`, `NaN`, `Infinity` and `-0`, which come back as they were (bytes as a `Buffer`, a `RegExp` by its
   * source and flags); stored as JSON in which an object with a field `$` stands for each, bytes as base64. Instances of classes of your own are
   * refused. Or a codec of your own. All caches with the prefix must have the same; another one gets `E_INVALID_DATA`, or values as they are
   * stored. With a codec, each caller gets its own copy, and `frozen` is refused. Default `'json'`.
   */
  codec?: 'json'
  /**
   * Whether values are compressed (LZ4, off the main thread) if they have at least `minBytes` as JSON and become smaller. Any cache reads
   * them. Default: not compressed.
   */
  compress?: boolean | CacheCompression
  /**
   * Encrypts values in the store, so that a copy of it shows none of them. A value is bound to its key and its tags: one that was changed or moved,
   * or encrypted with a key that is not in the ring, is a miss. Keys, tags and ttls remain readable, and the length of a value shows, also
   * that of a compressed one. Default: not encrypted.
   */
  encryption?: CacheEncryption
}

/**
 * How values are cached near. A value is near once it was read twice, until its ttl ends, it is changed by this or any other
 * program, or there is no more room. The server pushes the names of the keys that change (`CLIENT TRACKING`, Redis 6 or later, any Valkey),
 * from every primary of a cluster. If a connection for that is lost, a server fails over or a slot moves, nothing is near until it is certain
 * again. Not noticed are `SWAPDB`, for which servers push nothing, and a proxy that drops pushes but not the replies beside them.
 *
 * What the caches of this process change, all of them see at once. On the embedded engine, all changes are.
 *
 * Caches with the same service, prefix and options share what is near, and one connection per primary, until the service is disconnected: make
 * them once. A user needs the permissions `+hello +client|tracking`, with Sentinel `+role`, and in a cluster `+exists`; without them, or on an
 * older server, nothing is near, and the event `near-unavailable` says why.
 */
export interface NearOptions {
  /**
   * `'push'` returns a near value without asking: a change by another process is seen once it was pushed, which takes about a millisecond,
   * and at most `maxStalenessMs` after it was acknowledged, whatever happens to the connection. `'strict'` first has every primary confirm
   * that all changes acknowledged before the read are known, for all reads of a turn at once: never stale, and cheaper than the value. If
   * they do not within `maxStalenessMs`, the value is read. `peek` then finds nothing. Default `'push'`.
   */
  mode?: 'push' | 'strict'
  /**
   * The most bytes of keys and values, at least 65,536. Which values stay follows from how often they are read. Each thread that reads them
   * also keeps parsed copies of its own, of about half as many bytes at most. Default 67,108,864 (64 MiB).
   */
  maxBytes?: number
  /**
   * For how long values are near without news from the server, in milliseconds from 20 to 60,000: how stale a value may be at most. The
   * server is asked four times as often. Default 500.
   */
  maxStalenessMs?: number
}

/** Options of an `ApiCache` whose values may be what JSON lacks. */
export interface CodedCacheOptions extends Omit<ApiCacheOptions, 'codec'> {
  /** See {@link ApiCacheOptions.codec}. */
  codec: 'structured' | CacheCodec
}

/** Counts since the cache was created. */
export interface ApiCacheStats extends CacheStats {
  /**
   * How many stale values `getOrSet` returned. Those of `staleWhileRevalidate` count neither as `hits` nor as `misses`, those of `staleIfError` as
   * `misses`, since a new one was to be loaded.
   */
  staleHits: number
  /** How many of the `hits` were near, and cost no call. */
  nearHits: number
}

/** A value, and where it came from. */
export interface CacheLookup<T> {
  /** The value, as `getOrSet` returns it. */
  value: T
  /**
   * `'near'`: the memory of this process. `'hit'`: the store, where it was fresh. `'stale'`: the store, where it was stale; a new one is loaded
   * in the background, or could not be loaded. `'load'`: a load, of this caller or of another one in this process.
   */
  source: 'near' | 'hit' | 'stale' | 'load'
}

/** What `load` gets as its second argument: what it may know of its value, and a say in how that is stored. */
export interface CacheLoad {
  /**
   * Aborts when the load has taken as long as a caller waits for it: `loadTimeoutMs`, 60,000 ms by default. Callers that give up
   * earlier do not abort it, since others may share the load.
   */
  readonly signal: AbortSignal
  /**
   * Resolves to a copy of the stale value that this load replaces, or to `undefined` if no value is stored or the server cannot be reached.
   * For conditional requests, store the `ETag` with the value.
   */
  stale<T = unknown>(): Promise<Jsonify<T> | undefined>
  /** Sets how long the value is fresh, in seconds, in place of the option `ttl`; for example a shorter time for `null`. */
  setTtl(seconds: number): void
  /**
   * Adds tags that are known only now. From when the promise resolves, an invalidation of one of them wins over this load, so await it
   * before you read what the tags stand for. Rejects with `E_INVALID_ARGUMENT` if the value would have more than 128.
   */
  addTags(tags: readonly string[]): Promise<void>
  /** Makes the value be returned without being stored. */
  skip(): void
}

/** Options of reading a value. */
export interface CacheGetOptions {
  /**
   * Whether the value is deeply frozen. If it is near, all callers of this thread share the same object then, instead of getting a copy
   * each, which is several times as fast. Default `false`.
   */
  frozen?: boolean
}

/** Options of storing a value. Without tags and `staleWhileRevalidate` it is stored as plain JSON, which any client can read. */
export interface CacheSetOptions {
  /** How long the value is fresh, in seconds; `Infinity` is for ever, a hundred years. Default: the cache's. */
  ttl?: number
  /** Tags for `invalidateByTag`, at most 128. Any text is valid. */
  tags?: readonly string[]
  /**
   * How long after `ttl`, in seconds, `getOrSet` may still return the stale value while it loads a new one. If that load fails, this
   * process retries after a second, and doubles the wait after each further failure, up to a minute.
   */
  staleWhileRevalidate?: number
  /**
   * How long after that, in seconds, `getOrSet` may still return the stale value if loading a new one fails or takes too long. Callers wait for
   * that load; after a failure, this process retries after a second, and doubles the wait after each further failure, up to a minute.
   */
  staleIfError?: number
}

/** An entry of `setMany`. */
export interface CacheEntry<T = unknown> extends CacheSetOptions {
  /** The key. */
  key: string
  /** The value: anything that JSON can represent (see `ApiCache.set`). */
  value: T
}

/** A value as a cache with this codec returns it. */
export type Cached<T, Codec> = Codec extends 'json' ? Jsonify<T> : T

/** The same, as callers of a thread share it; with a codec each has its own. */
export type FrozenCached<T, Codec> = Codec extends 'json' ? Frozen<Jsonify<T>> : T

/** A value as a cache with this codec takes it. */
export type CacheInput<T, Codec> = Codec extends 'json' ? JsonInput<T> : T

/** How values become JSON, and are made from it again. Neither function is called for `null`, which is itself, nor may return a promise. */
export interface CacheCodec {
  /** Returns what JSON can represent. If it throws, the call rejects with `E_INVALID_ARGUMENT`, whose text has that of the error. */
  encode(value: unknown): unknown
  /** Returns the value again, a new one at each call. If it throws, the call rejects with `E_INVALID_DATA`, with the error as its cause. */
  decode(stored: unknown): unknown
}

/** Encryption of cached values by AES-256-GCM. */
export interface CacheEncryption {
  /** The ring of keys, at least one: the first encrypts, all decrypt. See {@link SessionEncryption.keys}. */
  keys: readonly SessionEncryptionKey[]
  /** Whether values that are not encrypted are found too, while an application changes to encryption. Default `false`. */
  acceptPlain?: boolean
}

/** How values are compressed. */
export interface CacheCompression {
  /** From how many bytes of JSON on. Default 1024. */
  minBytes?: number
}

/** Information about an image. */
export interface ImageInfo {
  /** The image's size, in bytes. */
  size: number
  /** The image's media type, such as `image/png`, detected from its content, otherwise from its name. */
  type: string
  /** The SHA-256 of the image's bytes, in hexadecimal. */
  hash: string
  /** When this was stored, in milliseconds since 1970: part of the stored format. The `timestamp` of a message or a report is text. */
  timestamp: number
}

/**
 * Values cached with a ttl under `api:{key}`. Every method also exists as a static one, on the default service.
 *
 * Without a server, reads find nothing (see `onUnavailable`), and `set` and the invalidations reject, since a lost invalidation must
 * not seem to be done. On a service with `onUnavailable: 'empty'`, the invalidations that return a number return 0.
 *
 * Keys, tags and files may come from clients: any string is valid, and strings that are not suitable for the store, such as long ones,
 * are hashed.
 *
 * @example
 * const profile = await ApiCache.getOrSet(`profile:${id}`, () => loadProfile(id), { ttl: 60, tags: [`user:${id}`] })
 * await ApiCache.invalidateByTag(`user:${id}`)
 */
export interface ApiCache<Codec extends 'json' | 'structured' = 'json'> extends ApiCacheAliases<Codec> {
  /**
   * Returns the same cache with its calls bound to a deadline, a signal or both; statistics and loads are shared. If the signal of a
   * caller of `getOrSet` aborts, only that caller rejects: `load` continues for the others, and its result is stored. If bound again, the
   * shorter time and every signal apply.
   *
   * @example
   * const page = await ApiCache.with({ timeoutMs: 100, signal: request.signal }).getOrSet('page', load)
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  with(limits: CallLimits): ApiCache<Codec>
  /**
   * Builds a key from an endpoint and its parameters, whatever their order: `cache:{endpoint}:{hash}`.
   *
   * Keys are equal exactly if endpoint and parameters are. Parameters are compared by contents: objects, arrays,
   * `URLSearchParams`, `Headers`, `FormData`, `URL`, `Map`, `Set`, `Date`, bytes, `bigint` and numbers (`-0` differs from `0`). A
   * field that is `undefined` counts as missing.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for values that cannot be compared by contents: functions, symbols and instances of
   * classes without `toJSON`. Pass their fields instead: `{ ...it }`.
   */
  keyFor(endpoint: string, params?: object): string
  /** Returns the value, or `null`, which may also be a cached `null`; `getOrSet` distinguishes them. */
  get<T = unknown>(
    key: string,
    options: CacheGetOptions & CallLimits & { frozen: Codec extends 'json' ? true : never },
  ): Promise<FrozenCached<T, Codec> | null>
  get<T = unknown>(key: string, options?: CacheGetOptions & CallLimits): Promise<Cached<T, Codec> | null>
  /**
   * Returns a value that is near, deeply frozen (with a codec, a copy), at once and without a call; `null` for a cached `null`, and `undefined` if it is not near,
   * or the cache has no option `near`, or the mode `'strict'` on a server. It counts as a hit if it is found, otherwise not at all.
   *
   * @example
   * const cache = new ApiCache(redisService, { near: true })
   * const flags = cache.peek<Flags>('flags') ?? (await cache.getOrSet('flags', loadFlags))
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` if the key is not a string.
   */
  peek<T = unknown>(key: string): FrozenCached<T, Codec> | null | undefined
  /**
   * Stores a value as JSON. It wins over a running load of the same key, in any process. Any text is a valid key.
   *
   * Rejects with `E_INVALID_ARGUMENT` for values whose contents JSON would lose: bytes, a `Map`, a `Set`, a `RegExp`, an `Error`, a
   * `Promise`, a `bigint`, and other objects whose contents JSON cannot see. The option `codec` allows more.
   */
  set<T = unknown>(key: string, value: CacheInput<T, Codec>, options?: CacheSetOptions & CallLimits): Promise<void>
  /**
   * Removes a value, and prevents running loads of it, in any process, from being stored; returns the number of values removed, 0
   * or 1. If its reply is lost, the removal is sent again, and what the first attempt removed is not counted.
   */
  invalidate(key: string): Promise<number>
  /**
   * Invalidates all values with this tag, and the results of loads that started before. The cost does not depend on the number of
   * values.
   */
  invalidateByTag(tag: string): Promise<void>
  /**
   * Ends the freshness of all values with this tag, and of the results of loads that started before: `getOrSet` may still return them, with
   * `staleWhileRevalidate` for that time from now on while it loads a new one, and with `staleIfError` if that fails, for as long as the value is
   * stored. Other reads do not find them. Values without these options are invalidated. The cost does not depend on the number of values.
   */
  expireByTag(tag: string): Promise<void>
  /**
   * Invalidates all values under the prefix, and prevents running loads, in any process, from being stored. With the option `clearable` that is one
   * call, otherwise it scans all keys of the server, twice, as `invalidateByPattern` does.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` with the prefix `''` and without `clearable`, since other keys could not be distinguished.
   */
  clear(): Promise<void>
  /**
   * Iterates over all fresh values under the prefix, with their keys, in no order, by many small scans. Values that are stored or removed
   * meanwhile may be missing or not. Left out are values of long keys, of which only a hash is stored (above 512 bytes, where control
   * characters, braces, `%` and the special characters of globs count as three), and what is no value of a cache. Rejects while the server
   * cannot be reached. Not counted in `stats()`.
   *
   * @example
   * for await (const [key, value] of ApiCache.entries()) console.log(key, value)
   */
  entries<T = unknown>(): AsyncGenerator<[key: string, value: Cached<T, Codec>], void, void>
  /**
   * Removes every value whose key matches a glob, and prevents running loads of matching keys, in any process, from being stored;
   * returns the number of values removed. Scans all keys of the server, twice. `*` matches any text, `?` one character, `[a-z]`
   * one of several; a `\\` before any of them makes it literal. Letters in brackets that are not a range, as in `/blog/[slug]`,
   * are rejected: write `/blog/\\[slug\\]` to match the text. With `E_MAYBE_APPLIED`, `error.done` is how many are known to be
   * removed. If a reply is lost, its removal is sent again, and what the first attempt removed is not counted.
   */
  invalidateByPattern(pattern: string): Promise<number>
  /**
   * Returns for how many seconds the value is still fresh, `Infinity` if another program has stored it without a ttl, or `null` if there is no
   * fresh value. Not counted in `stats()`.
   */
  ttl(key: string): Promise<number | null>
  /** Returns whether there is a fresh value, also a cached `null`. Not counted in `stats()`. */
  has(key: string): Promise<boolean>
  /**
   * Removes several values, and prevents running loads of them, in any process, from being stored; returns the number of values removed. With
   * `E_MAYBE_APPLIED`, `error.done` is how many are known to be removed. Removing all of them again does no harm.
   */
  deleteMany(keys: readonly string[]): Promise<number>
  /** Returns several values in the order of their keys, with `null` for each that is missing. */
  getMany<T = unknown>(keys: readonly string[]): Promise<(Cached<T, Codec> | null)[]>
  /**
   * Stores several values in one round, or in two if they have tags. Each is stored independently: with `E_MAYBE_APPLIED`, `error.done`
   * has the keys that are known to be stored. Storing all of them again does no harm.
   */
  setMany<Values extends readonly unknown[]>(entries: {
    readonly [Index in keyof Values]: CacheEntry<Values[Index]> & { value: CacheInput<Values[Index], Codec> }
  }): Promise<void>
  /**
   * Returns the cached value, or calls `load` and stores what it returns. Loads are single-flight: at most one per key runs at a
   * time for a service in this process, and concurrent callers share it. Every caller gets its own copy, of a loaded value as of a cached
   * one: the value after a round trip through JSON.
   *
   * - If `load` rejects, so does every caller that shares it, and nothing is stored.
   * - `undefined` is returned but not stored; `null` is stored. Values that cannot be stored (see `set`) reject with
   *   `E_INVALID_ARGUMENT`.
   * - An invalidation or a `set` during a `load` wins, from any process: the loaded value is returned but not stored, and later
   *   callers do not share that load.
   * - A value loaded for several callers gets all their tags and the shortest ttl. A caller with a tag that the running load does
   *   not have starts another load.
   * - If `load` takes longer than `loadTimeoutMs` or the caller's own `timeoutMs`, the caller gets `E_TIMEOUT`. Until then the call keeps
   *   the process alive, as every call does, unless the service is disconnected.
   * - A `load` that requests its own key, directly or indirectly, does not wait for itself: the inner call runs its own `load`.
   *   If that one requests the key again, it rejects with `E_INVALID_ARGUMENT`.
   * - With `eagerRefresh`, a value is replaced in the background before its ttl ends; with `errorTtl`, a failure lasts as long.
   * - `load` gets the key and a {@link CacheLoad}: a signal, the stale value, and how its own is stored.
   * - With `staleWhileRevalidate`, a stale value is returned at once and a new one is loaded in the background; a failure of that
   *   load only counts in `stats()`. With `staleIfError`, callers wait for the load, and get the stale value if it fails.
   * - If the server cannot be reached, or the service is disconnected meanwhile, the value comes from `load` alone, still once
   *   for all concurrent callers. `stats().errors` counts it.
   *
   * @example
   * const page = await ApiCache.getOrSet(url, async (url, load) => {
   *   const stale = await load.stale<{ etag: string; body: string }>()
   *   const headers = stale ? { 'if-none-match': stale.etag } : undefined
   *   const response = await fetch(url, { headers, signal: load.signal })
   *   if (stale && response.status === 304) return stale
   *   if (!response.ok) load.setTtl(5)
   *   return { etag: response.headers.get('etag') ?? '', body: await response.text() }
   * }, { ttl: 60, staleWhileRevalidate: 600 })
   */
  getOrSet<T>(
    key: string,
    load: (key: string, load: CacheLoad) => T | Promise<T>,
    options: CacheSetOptions &
      CacheLoadOptions &
      CacheGetOptions &
      CallLimits & { frozen: Codec extends 'json' ? true : never },
  ): Promise<FrozenCached<T, Codec>>
  getOrSet<T>(
    key: string,
    load: (key: string, load: CacheLoad) => T | Promise<T>,
    options?: CacheSetOptions & CacheLoadOptions & CacheGetOptions & CallLimits,
  ): Promise<Cached<T, Codec>>
  /** The same as `getOrSet`, but also returns where the value came from. */
  lookup<T>(
    key: string,
    load: (key: string, load: CacheLoad) => T | Promise<T>,
    options: CacheSetOptions &
      CacheLoadOptions &
      CacheGetOptions &
      CallLimits & { frozen: Codec extends 'json' ? true : never },
  ): Promise<CacheLookup<FrozenCached<T, Codec>>>
  lookup<T>(
    key: string,
    load: (key: string, load: CacheLoad) => T | Promise<T>,
    options?: CacheSetOptions & CacheLoadOptions & CacheGetOptions & CallLimits,
  ): Promise<CacheLookup<Cached<T, Codec>>>
  /** Returns the information about an image file, or `null`. Its key is `image:{file}`. */
  getImageInfo(file: string): Promise<ImageInfo | null>
  /** Stores information about an image file, computed from its bytes or as given, with a `timestamp`; returns it. */
  setImageInfo(
    file: string,
    image: Uint8Array | ArrayBuffer | (Omit<ImageInfo, 'timestamp'> & { timestamp?: number }),
    options?: CacheSetOptions & CallLimits,
  ): Promise<ImageInfo>
  /** Removes the information about an image file; returns the number of values removed, 0 or 1, as `invalidate` does. */
  invalidateImage(file: string): Promise<number>
  /** Returns counts since this cache was created. */
  stats(): ApiCacheStats
}

/** Other names of methods of an `ApiCache`. */
export interface ApiCacheAliases<Codec extends 'json' | 'structured' = 'json'> {
  /** The same as `get`. */
  getCachedResponse<T = unknown>(name: string): Promise<Cached<T, Codec> | null>
  /** The same as `set`, with the ttl as an argument, in seconds. Default `300`. */
  setCachedResponse<T = unknown>(name: string, value: CacheInput<T, Codec>, ttlSeconds?: number): Promise<void>
  /** The same as `invalidate`. */
  invalidateCache(name: string): Promise<number>
}

/** Creates an `ApiCache`; has each of its methods too, on the default service. */
export interface ApiCacheConstructor extends ApiCache {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new (service?: RedisService, options?: ApiCacheOptions): ApiCache
  new (service: RedisService | undefined, options: CodedCacheOptions): ApiCache<'structured'>
  readonly prototype: ApiCache
}

export const ApiCache: ApiCacheConstructor
