// Types of cinnabar: sessions, API caching, rate limits, locks, rooms, messages and job queues over Redis, Valkey or memory.
// Lives (`ttl`, `…Seconds`) are in seconds; whatever is in milliseconds says so by `…Ms` or `PX`.

/**
 * What went wrong, to branch on. Stable.
 *
 * | code | meaning | may the same call succeed later? |
 * |---|---|---|
 * | `E_INVALID_ARGUMENT` | the caller passed something that cannot be meant | no |
 * | `E_INVALID_SETTINGS` | an option or environment variable has a value that cannot be meant | no |
 * | `E_UNAVAILABLE` | no connection to the server, it was lost under a read, or its circuit breaker is open; nothing was changed | yes |
 * | `E_NOT_SENT` | it waited until its deadline passed or its connection ended; nothing was sent | yes |
 * | `E_BACKPRESSURE` | too much is waiting: for the server, and nothing was sent; or for a subscription with `overflow: 'error'`, which has ended | yes |
 * | `E_TIMEOUT` | a read was sent, and its deadline passed before an answer came | yes |
 * | `E_MAYBE_APPLIED` | a write was sent, and no answer came before the connection or its time was lost: it may or may not have been applied; or a call of several steps was done in part, whatever ended it | no |
 * | `E_ABORTED` | your `AbortSignal` ended it | no |
 * | `E_CLOSED` | the service was disconnected by its owner | no |
 * | `E_AUTH` | the server refused the user name or password, or the permission | no |
 * | `E_WRONG_TYPE` | the key holds another type of value | no |
 * | `E_OUT_OF_MEMORY` | the server has no memory left for this write | yes |
 * | `E_SERVER` | the server answered with another error | no |
 * | `E_INVALID_DATA` | a stored value was not written by this library, or the reply is invalid for the command | no |
 * | `E_LOCK_HELD` | somebody else holds the lock | yes |
 * | `E_LOCK_LOST` | the lock was lost while its operation ran; the reason with which the signal of `withLock` aborts | no |
 * | `E_CONFLICT` | other writers kept changing the value; nothing was written | yes |
 * | `E_JOB_FAILED` | the job is dead: its last attempt failed, or no other would have helped; `cause` is what its handler threw | no |
 * | `E_JOB_GONE` | the job was removed, has finished and was not kept, or is another worker's by now | no |
 * | `E_UNSUPPORTED` | this engine or server cannot do that | no |
 * | `E_INTERNAL` | a bug in this library; the process is unharmed | no |
 */
export type ErrorCode =
  | 'E_INVALID_ARGUMENT'
  | 'E_INVALID_SETTINGS'
  | 'E_UNAVAILABLE'
  | 'E_NOT_SENT'
  | 'E_BACKPRESSURE'
  | 'E_TIMEOUT'
  | 'E_MAYBE_APPLIED'
  | 'E_ABORTED'
  | 'E_CLOSED'
  | 'E_AUTH'
  | 'E_WRONG_TYPE'
  | 'E_OUT_OF_MEMORY'
  | 'E_SERVER'
  | 'E_INVALID_DATA'
  | 'E_LOCK_HELD'
  | 'E_LOCK_LOST'
  | 'E_CONFLICT'
  | 'E_JOB_FAILED'
  | 'E_JOB_GONE'
  | 'E_UNSUPPORTED'
  | 'E_INTERNAL'

/**
 * Every failure of this package. `instanceof` also recognises the errors of another copy of the package in the same
 * process.
 *
 * @example
 * try {
 *   await redisService.get('key')
 * } catch (error) {
 *   if (error instanceof CinnabarError && error.code === 'E_UNAVAILABLE') return fallback()
 *   throw error
 * }
 */
export class CinnabarError extends Error {
  /** An error of your own with one of these codes. `code` defaults to `E_INTERNAL`, `retryable` to `false`. */
  constructor(message: string, details?: { code?: ErrorCode; retryable?: boolean; cause?: unknown })
  /** Always `'CinnabarError'`. */
  readonly name: 'CinnabarError'
  /** What went wrong, to branch on. */
  readonly code: ErrorCode
  /**
   * Whether the same call may succeed later with nothing changed by the caller, and it is certain that this one has changed nothing.
   * Always `false` for `E_MAYBE_APPLIED`: whether a second call does no harm is for its caller to know. `set` and `destroySession` do
   * none; `queue.add` without an `id` adds another job, and `createSession` another session.
   */
  readonly retryable: boolean
  /** The operation that failed, in capitals: `'GET'`, `'CREATE SESSION'`. Missing if no call was made, as for invalid options. */
  readonly command?: string
  /**
   * The first 64 characters of its key. Missing for keys that are secret or identify a person, whatever call used them: those that
   * begin with the prefix of sessions or rate limits, the default one or that of a manager of this process.
   */
  readonly key?: string
  /**
   * What is known to be done by a call of several steps that rejected with `E_MAYBE_APPLIED`; more may have been done. Missing for
   * other codes and calls.
   *
   * - a number, where the call returns one: how many keys (`del`, `unlink`, `invalidate`, `invalidateByPattern`), sessions and
   *   validated tokens (`destroySession`, `destroyByTag`, `invalidateUser`) or jobs (`drain`, `clean`, `redrive`)
   * - an array of strings, where the call takes a list: the keys that `setMany` stored, the ids of the jobs that `addMany` added or
   *   found. It is not enumerable, so loggers do not copy it.
   */
  readonly done?: number | readonly string[]
  /** What caused it, where something did. */
  readonly cause?: unknown
}

/** What may be stored under a raw key or in a field. Numbers are written in decimal. */
export type Storable = string | number | Uint8Array

/** A raw key. */
export type Key = string | Uint8Array

/**
 * What `JSON.stringify` can write; the features keep values in this form. As there, dates become strings, an object with `toJSON`
 * becomes what that returns, fields that are functions or `undefined` are left out, and `NaN`, infinities and what is `undefined` in
 * an array become `null`. Where JSON would lose contents, a call rejects with `E_INVALID_ARGUMENT`, which says where in the value, and
 * nothing is sent: a `BigInt`, bytes, a `Map`, `Set`, `RegExp`, `Error` or `Promise`, an instance of a class (`Response`,
 * `URLSearchParams`, one of your own) without own fields, a function in an array, and a `toJSON` that returns one of these,
 * `undefined` or a function.
 */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * `T` if it is an object with fields, which JSON preserves; `never` for an array, a function, `Map`, `Set`, `Date`, bytes and the
 * like, whose contents JSON would lose.
 */
export type Fields<T extends object> = T extends
  | readonly unknown[]
  | ((...args: never) => unknown)
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | Date
  | RegExp
  | Error
  | PromiseLike<unknown>
  | ArrayBufferLike
  | ArrayBufferView
  ? never
  : T

// ---------------------------------------------------------------------------------------------------- service

/**
 * Settings of a service. What is given here wins over the environment.
 *
 * These options, like all others, may be an instance of a class, with fields or getters, or inherit from an object with defaults. What
 * `Object.prototype` has is never an option. An unknown option is refused with `E_INVALID_ARGUMENT`, and so is an instance that has
 * none of the options, such as a `Map` or a promise.
 */
export interface ServiceOptions {
  /**
   * Where the data lives. Not together with `host` or `port`. Environment: `REDIS_URL`, else `REDIS_PUBLIC_URL`.
   *
   * | form | means |
   * |---|---|
   * | `redis://user:password@host:6379/2` | one server; the path is the number of the database |
   * | `redis-cluster://user:password@a:7000,b:7000` | a cluster, by some of its nodes |
   * | `redis-sentinel://user:password@a:26379,b:26379/mymaster/2` | what the sentinels call `mymaster`, database 2; the name may be given as `?name=` instead, and is `mymaster` when left out |
   * | `rediss://`, `rediss-cluster://`, `rediss-sentinel://` | the same over TLS |
   * | `unix:/run/redis.sock` | a socket of this machine |
   * | `memory:`, `memory:name` | the embedded engine; services of a process with the same name and `db` share one store, whatever their other options |
   *
   * In a user name or password, `%`, `@`, `:`, `/`, `?` and `#` are written as `encodeURIComponent` writes them.
   */
  url?: string
  /** Name or address of the server, used when there is no URL. Default `localhost`. Environment: `REDIS_HOST`. */
  host?: string
  /** 1 to 65535, used when there is no URL. Default `6379`. Environment: `REDIS_PORT`. */
  port?: number
  /** ACL user; wins over the one in a URL. Environment, for a URL that has none: `REDIS_USERNAME`. */
  username?: string
  /** Wins over the one in a URL. Environment, for a URL that has none: `REDIS_PASSWORD`. */
  password?: string
  /**
   * Asked for user and password whenever a connection is made, so that they may change without a restart. It must answer
   * within `connectTimeoutMs`. What it throws, and an answer of another shape, is `E_AUTH` for the calls that wait.
   * Not together with `username`, `password` or a user in `url`; what the environment says of them is not used. Such a
   * service shares its connections with no other.
   */
  credentials?: () => Credentials | Promise<Credentials>
  /**
   * Whether and how to speak TLS. Default: as the URL says, else `false`. `false` together with `rediss://` is refused.
   * Environment: `REDIS_TLS`.
   */
  tls?: boolean | TlsOptions
  /**
   * Number of the database, 0 to 255; overrides the path of the URL. Default `0`, the only one that a cluster has. Messages, and
   * the events of queues and rooms, are limited to this database too. On the embedded engine each is a store of its own.
   */
  db?: number
  /** Who the client is to the sentinels, which know nothing of the users of their servers. Only with a sentinel URL. */
  sentinel?: SentinelOptions
  /**
   * Most connections to a server, 1 to 1000. Default `10`. Environment: `REDIS_POOL_SIZE`. Calls share one connection, unless
   * calls in flight there, such as large values, delay them by more than 20 ms: then another connection is used. Calls on the
   * same key, room, queue or channel are executed and settled in the order in which they were made, over any number of
   * connections. With `1`, calls on different keys are ordered too.
   */
  poolSize?: number
  /** Deadline of each command, time in the queue included, in milliseconds. Default `5000`. Environment: `REDIS_TIMEOUT`, in seconds. */
  timeoutMs?: number
  /** Deadline of opening a connection, in milliseconds. Default `10000`. */
  connectTimeoutMs?: number
  /** How long a call waits for a connection before it ends in `E_UNAVAILABLE`, in milliseconds, at most `timeoutMs`. Default `3000`. */
  connectWaitMs?: number
  /** How often what is safe to repeat is sent again after a lost connection, 0 to 100. Default `3`. Environment: `REDIS_RETRY_ATTEMPTS`. */
  retryAttempts?: number
  /** How soon a lost connection is made anew. */
  reconnect?: ReconnectOptions
  /** Most calls that may wait for a server; further ones end in `E_BACKPRESSURE`. Default `50000`. */
  maxQueuedCalls?: number
  /** Most bytes of calls that may wait for a server, at least 1024; further ones end in `E_BACKPRESSURE`. Default 64 MB. */
  maxQueuedBytes?: number
  /** How long a connection may be idle before a PING tries it, in milliseconds. Default `10000`. */
  keepAliveMs?: number
  /** When a failing server is left alone for a while, so that calls fail at once instead of late; `false`: never. */
  breaker?: false | BreakerOptions
  /**
   * Memory that the embedded engine may use, in bytes, at least 1 MB. When it is full, the least recently used keys with a ttl
   * are evicted; when none are left, writes reject with `E_OUT_OF_MEMORY`. If several services share a store, the first to use it
   * sets the limit. Default 256 MB.
   */
  maxBytes?: number
  /**
   * What an operation does when the server cannot be reached: reject with `E_UNAVAILABLE`, or return its empty value (`null`,
   * `false`, `0`, `[]`, `{}`), which says that nothing is there or was changed, with one warning per operation name. Default:
   * `'empty'` when `NODE_ENV=development`, else `'throw'`.
   *
   * With `'empty'`, `createSession` returns an id that no session has. A call rejects in either case if
   *
   * - its type has no such value: what resolves to nothing (`cache.set`, `setMany`, `setImageInfo`, `invalidateByTag`,
   *   `storeSession`, `addUserToRoom`, `storeMessage`); a sum, a ttl, a type or a status of the raw client (`incr`, `ttl`, `type`,
   *   `mSet`, `ping` …); `scan`, `scanIterator`, `eval`, `sendCommand` and `multi().exec()`
   * - it gives something that works only with a server: `withLock`, `join`, `send`, `watch`, `listen`, `subscribe`, and all of a
   *   `JobQueue`
   * - it may have been applied (`E_MAYBE_APPLIED`)
   */
  onUnavailable?: 'throw' | 'empty'
  /**
   * `true` adds the caller's line to the stacks of errors, for all services of this thread from then on. Costs some microseconds
   * per call. Always on with `NODE_ENV=development` or `CINNABAR_STACKS=1`. `error.command` and `error.key` do not depend on it.
   */
  stacks?: boolean
  /**
   * Hears of each change of the server's state, once: a connection lost and made again, a breaker opened and closed. A server that
   * ends its connections again and again is reported as such, and then not before one of them has lasted for five seconds.
   * Default: one line by `console.warn`, `cinnabar: …`. `false` is silent. A function gets the event instead; services that
   * share a store and a function hear of a change once.
   */
  log?: false | ((event: ServiceEvent) => void)
}

/** Who a service is to its server. */
export interface Credentials {
  /** ACL user; Redis's `default` when left out. */
  username?: string | null
  /** Not empty. */
  password: string
}

/** How a connection is encrypted. Certificates and keys are PEM text, as `readFileSync` returns it, not paths. */
export interface TlsOptions {
  /** Certificates of the authorities to trust instead of the system's. */
  ca?: string | Uint8Array
  /** The client's certificate, its chain behind it. Together with `key`. */
  cert?: string | Uint8Array
  /** The key of `cert`, without a passphrase. */
  key?: string | Uint8Array
  /** The name that the server's certificate must have. Default: the host. */
  servername?: string
  /**
   * SHA-256 fingerprint of the only certificate to accept, regardless of its issuer, names and dates; pass several while it is
   * being replaced. 64 hexadecimal digits with or without colons, as printed by `openssl x509 -noout -fingerprint -sha256`.
   */
  fingerprint?: string | string[]
  /**
   * `false` accepts any certificate, with a warning: anyone in the network path can then read and change all traffic. Prefer `ca`
   * or `fingerprint`. Default `true`.
   */
  rejectUnauthorized?: boolean
}

/** Who a service is to the sentinels. */
export interface SentinelOptions {
  /** ACL user at the sentinels. */
  username?: string
  /** Password of the sentinels. */
  password?: string
}

/** Waits before another attempt to connect: each is chosen at random, up to a bound that doubles with every failure. */
export interface ReconnectOptions {
  /** The first bound, in milliseconds. Default `50`. */
  firstMs?: number
  /** The last bound, in milliseconds, not below `firstMs`. Default `2000`. */
  longestMs?: number
}

/** When a server counts as failing. What the server refuses with an error of its own is no failure. */
export interface BreakerOptions {
  /** Share of failed calls, above 0 and at most 1, that opens the breaker. Default `0.5`. */
  errorRate?: number
  /** For how long a call counts, in milliseconds, at least 100. Default `10000`. */
  windowMs?: number
  /** With fewer calls than this within the window it stays closed. Default `20`. */
  volume?: number
  /** How long it refuses calls before it lets one through to try, in milliseconds. Default `30000`. */
  openMs?: number
  /** A trial call that has no answer for this long has failed, in milliseconds. Default: `timeoutMs`, at most `5000`. */
  probeTimeoutMs?: number
  /** A call that takes this long is slow, in milliseconds, below `timeoutMs`. Default `1000`. */
  slowCallMs?: number
  /** Share of slow calls, above 0 and at most 1, that opens the breaker. Default `0.8`. */
  slowRate?: number
}

/** A change of the state of a server. */
export interface ServiceEvent {
  /** When, as an ISO 8601 time. */
  at: string
  /**
   * - `lost`: a connection ended
   * - `down`: the server cannot be reached (reported once); `connected`: it can be reached again
   * - `breaker-open`: calls are refused at once; `breaker-half-open`: a probe decides; `breaker-closed`: calls are sent again
   * - `failover`: another server is the primary now; `topology-changed`: a cluster's slots or servers have changed
   * - `evicts`: the server may evict waiting jobs when it is full (reported once, when a worker starts)
   * - `muted`: the user may not publish or subscribe; queues are polled once a second, and events and messages of rooms arrive late or not at all
   * - `lock-lost`: a lock was lost while the operation of `withLock` ran
   */
  type:
    | 'connected'
    | 'lost'
    | 'down'
    | 'breaker-open'
    | 'breaker-half-open'
    | 'breaker-closed'
    | 'failover'
    | 'topology-changed'
    | 'evicts'
    | 'muted'
    | 'lock-lost'
  /** Which server: `host:port`, or `unix:` and the path of a socket. */
  target: string
  /** The same in words. Never has a password in it. */
  message: string
}

/**
 * What `.with()` binds calls to. The bound object is of the same class. The constructor of a subclass of your own runs again for it,
 * with a first argument to hand on to `super()`, so that it has its private fields, as they are at first; other fields are those of
 * the object that it came from, but for those that the constructor has frozen. A function in a field is one of them: an arrow function
 * that uses `this` still calls the object that it came from, without the limits, so write methods instead. If that constructor throws
 * without its own arguments, the object has no private fields of the subclass: derive the service instead,
 * `new MySessions(service.with(limits))`.
 *
 * @example
 * await redisService.with({ timeoutMs: 200 }).get('key')
 * await ApiCache.with({ signal: request.signal }).getOrSet('key', load)
 */
export interface CallLimits {
  /**
   * How long each call may wait for the store, time in the queue included, in milliseconds from 1 to 2^31; in place of the
   * service's `timeoutMs`. It also limits how long a caller waits for a `load`, its own or a shared one: after that the caller
   * gets `E_TIMEOUT`, and the load goes on. The time of `operation` is not limited. A call that exceeds its deadline rejects with
   * `E_NOT_SENT`, `E_TIMEOUT` or `E_MAYBE_APPLIED`.
   */
  timeoutMs?: number
  /**
   * Ends calls early: when it aborts, they reject at once with `E_ABORTED`, whose `cause` is the signal's reason. What has not
   * been sent is taken back; a write that has been sent may have been applied. Calls made afterwards send nothing.
   */
  signal?: AbortSignal
}

/** How to disconnect. */
export interface DisconnectOptions {
  /** How long calls in flight may still take, in milliseconds from 0 to 2^31. Default `5000`. */
  drainMs?: number
}

/** How `SET` writes. `EX`, `PX` and `expiration` exclude each other, and so do `NX`, `XX` and `condition`. */
export type SetOptions = SetLife & SetCondition

/** How long a key that is set lives. */
export type SetLife =
  | {
      /** Life in seconds, at least 1. */
      EX?: number
      PX?: undefined
      expiration?: undefined
    }
  | {
      /** Life in milliseconds, at least 1. */
      PX: number | undefined
      EX?: undefined
      expiration?: undefined
    }
  | {
      /** `EX`, `PX` or `KEEPTTL`, as in node-redis 5. */
      expiration: { type: 'EX' | 'PX'; value: number } | { type: 'KEEPTTL' } | 'KEEPTTL' | undefined
      EX?: undefined
      PX?: undefined
    }

/** When a key is set. */
export type SetCondition =
  | {
      /** Only if the key does not exist. */
      NX?: boolean
      XX?: false
      condition?: undefined
    }
  | {
      /** Only if the key exists. */
      XX: boolean | undefined
      NX?: false
      condition?: undefined
    }
  | {
      /** `NX` or `XX`, as in node-redis 5. */
      condition: 'NX' | 'XX' | undefined
      NX?: false
      XX?: false
    }

/** `SetOptions` of the raw client, or one that keeps the life that the key has. */
export type RawSetOptions = (
  | (SetLife & { KEEPTTL?: false })
  | {
      /** Keeps the life that the key has. */
      KEEPTTL: boolean | undefined
      EX?: undefined
      PX?: undefined
      expiration?: undefined
    }
) &
  SetCondition

/** What `service.healthCheck()` returns. */
export interface ServiceHealth {
  /** Whether a PING was answered. */
  status: 'connected' | 'disconnected'
  /** How long the PING took, such as `'2ms'`; `'0ms'` when disconnected. */
  latency: string
  /**
   * Host of the server; for a cluster the first connected node, with sentinels the primary. `null` for the embedded engine.
   */
  host: string | null
  /** Its port; `null` for the embedded engine. */
  port: number | null
}

/**
 * One server, cluster or embedded store, and all that works on it. Making one connects to nothing; its first call does.
 * Services with equal settings share their connections within the process.
 *
 * Calls on the same key, room, queue or channel are executed in the order in which they were made, and their promises settle in
 * that order, over any number of connections. A call that rejected with `E_MAYBE_APPLIED` or `E_TIMEOUT` may still be executed
 * later, and a deadline or a signal settles a call at once.
 *
 * @example
 * const service = new RedisService({ url: 'redis://localhost:6379' })
 * const sessions = new SessionManager(service, { prefix: 'session:' })
 */
export class RedisService implements AsyncDisposable {
  /**
   * @param options Win over the environment, which wins over the defaults.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown option, `E_INVALID_SETTINGS` for a bad value or variable.
   */
  constructor(options?: ServiceOptions)
  /**
   * Connects now instead of at the first call, or again after `disconnect()`. May be called twice. Rejects with `E_UNAVAILABLE` or
   * `E_AUTH`, and with `E_INVALID_SETTINGS` if another service has taken a prefix of its managers since it was disconnected.
   */
  connect(): Promise<void>
  /**
   * Takes no more calls: those reject with `E_CLOSED` until `connect()`. Waits for the calls in flight, at most `drainMs`
   * (5 s); what has no answer by then rejects, with `E_MAYBE_APPLIED` if it may have changed something, else `E_CLOSED`. Then
   * lets go of the connections. Rejects for nothing but a bad option; may be called twice, also at the same time.
   */
  disconnect(options?: DisconnectOptions): Promise<void>
  /** Whether there is a connection right now; for a cluster, to any of its nodes. */
  get isConnected(): boolean
  /** The string under `key`, or `null`. */
  get(key: Key): Promise<string | null>
  /** The bytes under a key, or `null`. */
  getBuffer(key: Key): Promise<Bytes | null>
  /** Stores a string; `null` when `NX` or `XX` kept it from that. Without `EX` or `PX` it lives until it is deleted. */
  set(key: Key, value: Storable, options?: SetOptions): Promise<'OK' | null>
  /** Deletes keys; returns how many existed. Without keys it returns 0 and sends nothing. */
  del(...keys: Key[]): Promise<number>
  /** Counts which of the keys exist; one named twice counts twice. */
  exists(...keys: Key[]): Promise<number>
  /** Sets the remaining life in seconds; `false` when there is no such key. */
  expire(key: Key, seconds: number): Promise<boolean>
  /** Sets a field of a hash; returns 1 when it is new, else 0. */
  hSet(key: Key, field: Storable, value: Storable): Promise<number>
  /** Sets several fields; returns how many are new. */
  hSet(key: Key, fields: Readonly<Record<string, Storable>>): Promise<number>
  /** One field of a hash, or `null`. */
  hGet(key: Key, field: Storable): Promise<string | null>
  /** The bytes of one field of a hash, or `null`. */
  hGetBuffer(key: Key, field: Storable): Promise<Bytes | null>
  /** All fields of a hash, as an object without a prototype; empty if the key does not exist. */
  hGetAll(key: Key): Promise<Record<string, string>>
  /** Deletes fields; returns how many there were. */
  hDel(key: Key, ...fields: Storable[]): Promise<number>
  /**
   * Sends a value, as JSON, to all subscribers of the channel; returns how many connections received it from this server. A
   * `Uint8Array` or `Buffer` is sent as raw bytes.
   *
   * Channels are separate per database: in database 0 names are sent unchanged, in database 3 the channel `news` is called
   * `cinnabar:db3:news` on the server. Names that begin with `__` belong to the server and are unchanged in every database, as
   * are all channels used through `getClient()`.
   */
  publish<T>(channel: string, value: JsonInput<T> | Uint8Array, options?: PublishOptions): Promise<number>
  /**
   * Calls `handler` for every message on a channel, in the asynchronous context of this call.
   * A handler that throws ends neither the process nor the subscription: its first failure is reported on the console.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option, `E_UNAVAILABLE` or `E_TIMEOUT` when the server
   * does not confirm in time.
   */
  subscribe<T = unknown>(channel: string, handler: MessageHandler<T>, options?: SubscribeOptions): Promise<Subscription>
  /**
   * Without a handler: the messages as an async iterable. They wait outside the JavaScript heap, within `buffer`, until they
   * are asked for.
   *
   * @example
   * for await (const { value, missed } of await redisService.subscribe('prism:events')) {
   *   if (missed) await readAgain()
   *   await handle(value)
   * }
   */
  subscribe<T = unknown>(channel: string, options?: StreamOptions): Promise<MessageStream<T>>
  /** Asks for one PING, for at most 2 s. Never rejects. */
  healthCheck(): Promise<ServiceHealth>
  /** The raw client. Always available; it connects on its first call, and `isReady` tells whether it is connected. */
  getClient(): RawClient
  /** An `ApiCache` on this service with its default options. */
  get cache(): ApiCache
  /** A `SessionManager` on this service with its default options. */
  get sessions(): SessionManager
  /** A `RateLimiter` on this service with its default options. */
  get limiter(): RateLimiter
  /** A `DistributedLock` on this service with its default options. */
  get locks(): DistributedLock
  /** A `RealtimeDataManager` on this service with its default options. */
  get rooms(): RealtimeDataManager
  /**
   * A `JobQueue` on this service.
   * @throws {CinnabarError} As `new JobQueue` does.
   */
  queue<Data = unknown, Result = unknown>(
    name: string,
    options?: Omit<JobQueueOptions, 'service'>,
  ): JobQueue<Data, Result>
  /**
   * The same service with its calls bound to a deadline, a signal or both: its connections, statistics, loads and
   * subscriptions are shared, and so is `disconnect()`. Bound once more, the shorter time and every signal count.
   *
   * @example
   * const quick = redisService.with({ timeoutMs: 200 })
   * await quick.get('key')
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): RedisService
  /** `disconnect()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** The service that the environment describes. Made at its first use, connected by its first call. */
export const redisService: RedisService

// ------------------------------------------------------------------------------------------------- raw client

/**
 * An untyped reply. An integer beyond 2^53 is a string of digits, since a JavaScript number would round it. An error inside an
 * array is a `CinnabarError`.
 */
export type Reply = string | number | null | CinnabarError | Reply[]

/** An untyped reply with bytes instead of strings. */
export type BufferReply = Bytes | string | number | null | CinnabarError | BufferReply[]

/** A `Buffer`. */
export type Bytes = typeof globalThis extends { Buffer: { alloc(size: number): infer B extends Uint8Array } }
  ? B
  : Uint8Array

/** A member of a sorted set with its score. */
export interface ScoredMember {
  /** Its place in the order; `Infinity` and `-Infinity` are allowed, `NaN` is not. */
  score: number
  /** The member. */
  value: Storable
}

/** A part of a range. */
export interface RangeLimit {
  /** How many to leave out at the start. */
  offset: number
  /** How many to answer at most. */
  count: number
}

/** A bound of a range: an index, a score, `'(5'` (exclusive), `'-inf'` or `'+inf'`. */
export type Bound = number | string

/**
 * The raw commands, with their arguments and results. The client sends each at once; `multi()` collects the same ones.
 *
 * Stored strings are returned as strings, in which invalid UTF-8 becomes U+FFFD; read binary data with the methods that end in
 * `Buffer`, or with `sendCommand(args, { buffers: true })`. A result beyond 2^53 rejects with `E_INVALID_DATA`, though the
 * command has been executed; `sendCommand` returns such a number as a string.
 *
 * With `onUnavailable: 'empty'`, commands that have no empty value reject without a server: those that return a sum (`incr`,
 * `hIncrBy`, `zIncrBy` …), a ttl or a text that is never `null`, `scan` and `eval`.
 */
export interface Commands {
  /** Returns `'PONG'`. */
  ping(): Promise<string>
  /** What the server tells about itself, as text. */
  info(section?: string): Promise<string>
  /** How many keys there are. */
  dbSize(): Promise<number>
  /** Deletes every key of every database; on the embedded engine, of this database. */
  flushAll(): Promise<string>
  /** Deletes every key of this database. */
  flushDb(): Promise<string>
  /** Sends a message as it is; returns how many got it. */
  publish(channel: string, message: Storable): Promise<number>
  /** Runs a Lua script. `numberOfKeys` of what follows are keys. */
  eval(script: string, numberOfKeys: number, ...keysAndArgs: Storable[]): Promise<Reply>
  /** Some of the keys, and the cursor that continues; `'0'` begins and ends. */
  scan(
    cursor?: string | number,
    options?: { MATCH?: string; COUNT?: number },
  ): Promise<{ cursor: string; keys: string[] }>
  /** `'string'`, `'hash'`, `'list'`, `'set'`, `'zset'` or `'none'`. */
  type(key: Key): Promise<string>
  /** Counts which of the keys exist. Without keys it returns 0 and sends nothing. */
  exists(...keys: (Key | Key[])[]): Promise<number>
  /** Deletes keys; returns how many there were. */
  del(...keys: (Key | Key[])[]): Promise<number>
  /** Like `del`; the memory is freed later. */
  unlink(...keys: (Key | Key[])[]): Promise<number>
  /** Sets the remaining life in seconds; `false` when there is no such key. */
  expire(key: Key, seconds: number): Promise<boolean>
  /** Sets the remaining life in milliseconds; `false` when there is no such key. */
  pExpire(key: Key, ms: number): Promise<boolean>
  /** Takes the end of life away; `false` when there was none. */
  persist(key: Key): Promise<boolean>
  /** Remaining life in seconds; -1 without one, -2 without a key. */
  ttl(key: Key): Promise<number>
  /** Remaining life in milliseconds; -1 without one, -2 without a key. */
  pTTL(key: Key): Promise<number>

  /** The string under a key, or `null`. */
  get(key: Key): Promise<string | null>
  /** Stores a string. With `GET`, returns the value that was there before. */
  set(key: Key, value: Storable, options: RawSetOptions & { GET: true }): Promise<string | null>
  /** Stores a string; `null` when `NX` or `XX` kept it from that. `KEEPTTL` keeps the life that the key had. */
  set(key: Key, value: Storable, options?: RawSetOptions & { GET?: false }): Promise<'OK' | null>
  /** Adds 1; returns the sum. */
  incr(key: Key): Promise<number>
  /** Adds a whole number; returns the sum. */
  incrBy(key: Key, increment: number): Promise<number>
  /** Takes 1 away; returns the difference. */
  decr(key: Key): Promise<number>
  /** Takes a whole number away; returns the difference. */
  decrBy(key: Key, decrement: number): Promise<number>
  /** Several values in the order of their keys. Without keys it returns `[]` and sends nothing. */
  mGet(...keys: (Key | Key[])[]): Promise<(string | null)[]>
  /** Stores several values: an object, an array of pairs, or key, value, key, value… */
  mSet(
    values: Readonly<Record<string, Storable>> | readonly (readonly [Key, Storable])[] | readonly Storable[],
  ): Promise<string>
  /** Stores several values given one after the other. */
  mSet(key: Key, value: Storable, ...more: Storable[]): Promise<string>

  /** Sets a field of a hash; returns 1 when it is new, else 0. */
  hSet(key: Key, field: Storable, value: Storable): Promise<number>
  /** Sets several fields; returns how many are new. */
  hSet(key: Key, fields: Readonly<Record<string, Storable>>): Promise<number>
  /** One field, or `null`. */
  hGet(key: Key, field: Storable): Promise<string | null>
  /** All fields, as an object without a prototype; empty if the key does not exist. */
  hGetAll(key: Key): Promise<Record<string, string>>
  /** Deletes fields; returns how many there were. */
  hDel(key: Key, ...fields: (Storable | Storable[])[]): Promise<number>
  /** Whether the hash has a field. */
  hExists(key: Key, field: Storable): Promise<boolean>
  /** The names of all fields. */
  hKeys(key: Key): Promise<string[]>
  /** The values of all fields. */
  hVals(key: Key): Promise<string[]>
  /** How many fields there are. */
  hLen(key: Key): Promise<number>
  /** Several fields in the order asked for. */
  hMGet(key: Key, ...fields: (Storable | Storable[])[]): Promise<(string | null)[]>
  /** Adds a whole number to a field; returns the sum. */
  hIncrBy(key: Key, field: Storable, increment: number): Promise<number>

  /** Inserts one or more elements at the head; returns the length. */
  lPush(key: Key, ...elements: (Storable | Storable[])[]): Promise<number>
  /** Appends one or more elements; returns the length. */
  rPush(key: Key, ...elements: (Storable | Storable[])[]): Promise<number>
  /** Elements from `start` to `stop`, both included; -1 is the last. */
  lRange(key: Key, start: number, stop: number): Promise<string[]>
  /** Keeps only the elements from `start` to `stop`. */
  lTrim(key: Key, start: number, stop: number): Promise<string>
  /** How many elements there are. */
  lLen(key: Key): Promise<number>
  /** Takes the first element, or `null`. */
  lPop(key: Key): Promise<string | null>
  /** Takes the last element, or `null`. */
  rPop(key: Key): Promise<string | null>

  /** Adds members; returns how many are new. With no members, returns 0 and sends nothing. */
  sAdd(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** Removes members; returns how many there were. */
  sRem(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** All members, in no order. */
  sMembers(key: Key): Promise<string[]>
  /** Whether it is a member. */
  sIsMember(key: Key, member: Storable): Promise<boolean>
  /** How many members there are. */
  sCard(key: Key): Promise<number>

  /** Adds members or moves them to a new score; returns how many are new. */
  zAdd(key: Key, members: ScoredMember | readonly ScoredMember[]): Promise<number>
  /** Members from `start` to `stop`: by rank or by `SCORE`; `REV` returns the highest first. */
  zRange(
    key: Key,
    start: Bound,
    stop: Bound,
    options?: { BY?: 'SCORE'; REV?: boolean; LIMIT?: RangeLimit },
  ): Promise<string[]>
  /** Members by rank, the highest first. */
  zRevRange(key: Key, start: number, stop: number): Promise<string[]>
  /** Members with a score between `min` and `max`. */
  zRangeByScore(key: Key, min: Bound, max: Bound, options?: { LIMIT?: RangeLimit }): Promise<string[]>
  /** The score of a member, or `null`. */
  zScore(key: Key, member: Storable): Promise<number | null>
  /** Removes members; returns how many there were. */
  zRem(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** How many members there are. */
  zCard(key: Key): Promise<number>
  /** Adds to a member's score; returns the sum. */
  zIncrBy(key: Key, increment: number, member: Storable): Promise<number>
}

/**
 * Commands that return bytes: as those without `Buffer` in their names, but with a `Buffer` for each string. Names of fields stay
 * strings.
 */
export interface BufferCommands {
  /** As `get`. */
  getBuffer(key: Key): Promise<Bytes | null>
  /** As `mGet`. */
  mGetBuffer(...keys: (Key | Key[])[]): Promise<(Bytes | null)[]>
  /** As `eval`. */
  evalBuffer(script: string, numberOfKeys: number, ...keysAndArgs: Storable[]): Promise<BufferReply>
  /** As `hGet`. */
  hGetBuffer(key: Key, field: Storable): Promise<Bytes | null>
  /** As `hGetAll`. */
  hGetAllBuffer(key: Key): Promise<Record<string, Bytes>>
  /** As `hKeys`. */
  hKeysBuffer(key: Key): Promise<Bytes[]>
  /** As `hVals`. */
  hValsBuffer(key: Key): Promise<Bytes[]>
  /** As `hMGet`. */
  hMGetBuffer(key: Key, ...fields: (Storable | Storable[])[]): Promise<(Bytes | null)[]>
  /** As `lRange`. */
  lRangeBuffer(key: Key, start: number, stop: number): Promise<Bytes[]>
  /** As `lPop`. */
  lPopBuffer(key: Key): Promise<Bytes | null>
  /** As `rPop`. */
  rPopBuffer(key: Key): Promise<Bytes | null>
  /** As `sMembers`. */
  sMembersBuffer(key: Key): Promise<Bytes[]>
  /** As `zRange`. */
  zRangeBuffer(
    key: Key,
    start: Bound,
    stop: Bound,
    options?: { BY?: 'SCORE'; REV?: boolean; LIMIT?: RangeLimit },
  ): Promise<Bytes[]>
  /** As `zRevRange`. */
  zRevRangeBuffer(key: Key, start: number, stop: number): Promise<Bytes[]>
  /** As `zRangeByScore`. */
  zRangeByScoreBuffer(key: Key, min: Bound, max: Bound, options?: { LIMIT?: RangeLimit }): Promise<Bytes[]>
}

/** What `sendCommand` returns. */
export interface SendOptions {
  /** Whether strings in the reply are `Buffer`s. Default `false`. */
  buffers?: boolean
}

/**
 * The commands themselves, named as node-redis names them. Keys go out as they are: no prefix, no escaping. An invalid argument,
 * one too many or too few, rejects with `E_INVALID_ARGUMENT` before anything is sent; the message names command and argument.
 */
export interface RawClient extends Commands, BufferCommands {
  /** Whether there is a connection right now; for a cluster, to any of its nodes. */
  readonly isReady: boolean
  /**
   * The same client with its commands, transactions included, bound to a deadline, a signal or both. Bound once more, the
   * shorter time and every signal count. Throws `E_INVALID_ARGUMENT` for a bad option.
   */
  with(limits: CallLimits): RawClient
  /** Collects commands to run as one transaction. */
  multi(): Multi<[]>
  /**
   * Sends any command, its name first, and returns the raw reply. Commands known to reply exactly once, without blocking, use the
   * service's connections. Any other command gets a connection of its own, closed afterwards: blocking commands such as `BLPOP`,
   * and unknown ones, such as those of some modules. These are not ordered with other calls.
   *
   * A blocking command waits for its own timeout, at most as long as `with({ timeoutMs })` allows. With the timeout `0` (forever)
   * it waits until the call's deadline, then rejects with `E_TIMEOUT`, and no element has been removed.
   *
   * In a cluster `SCRIPT LOAD`, `SCRIPT FLUSH`, `FUNCTION LOAD`, `DELETE`, `FLUSH` and `RESTORE`, `FLUSHALL`, `FLUSHDB`,
   * `DBSIZE`, `KEYS` and `SCRIPT EXISTS` are sent to every primary; any other command without a key is sent to one of them.
   *
   * @throws {CinnabarError} `E_UNSUPPORTED` for commands that make no sense on a shared connection (`SUBSCRIBE`, `MONITOR`,
   * `MULTI`, `WATCH`, `SELECT`, `AUTH`, `CLIENT REPLY`, `WAIT` …), with an alternative in the message; and for commands that the
   * embedded engine does not have.
   */
  sendCommand<T = Reply>(args: readonly Storable[], options?: SendOptions & { buffers?: false }): Promise<T>
  /** The same with a `Buffer` for each string of the reply. */
  sendCommand<T = BufferReply>(args: readonly Storable[], options: SendOptions): Promise<T>
  /**
   * Pages of keys, as `scan` returns them, until the whole keyspace has been scanned. A key may occur twice.
   *
   * @example
   * for await (const keys of client.scanIterator({ MATCH: 'user:*', COUNT: 100 })) await client.unlink(keys)
   */
  scanIterator(options?: { MATCH?: string; COUNT?: number }): AsyncGenerator<string[], void, undefined>
}

/**
 * Commands collected to run as one transaction, by `MULTI` and `EXEC`: nothing is sent before `exec()`, and no other client's
 * command runs in between. In a cluster all keys must share a slot, or it rejects with `E_UNSUPPORTED`; commands without a key
 * run on the node of that slot.
 *
 * `Results` are the types of the results, as far as they are known: those of one chain of calls. Where commands are added in a loop
 * or by statements, annotate the variable as `Multi`; then they are `unknown`.
 *
 * @example
 * const [[error, hits]] = await client.multi().incr('hits').expire('hits', 60).exec()
 * if (error) throw error
 * console.log(hits + 1)
 *
 * @example
 * const multi: Multi = client.multi()
 * for (const key of keys) multi.incr(key)
 * const results = await multi.exec<number>()
 */
export type Multi<Results extends readonly unknown[] = unknown[]> = {
  /** Adds this command. */
  [Name in keyof (Commands & BufferCommands)]: (
    ...args: AnyParameters<(Commands & BufferCommands)[Name]>
  ) => Multi<Appended<Results, ValueOf<(Commands & BufferCommands)[Name]>>>
} & {
  /**
   * Adds any command: its name, then its arguments. Refuses the same commands as the client's `sendCommand`; blocking commands do
   * not block.
   */
  sendCommand<T = Reply>(
    args: readonly Storable[],
    options?: SendOptions & { buffers?: false },
  ): Multi<Appended<Results, T>>
  /** The same with a `Buffer` for each string of the reply. */
  sendCommand<T = BufferReply>(args: readonly Storable[], options: SendOptions): Multi<Appended<Results, T>>
  /**
   * Runs the collected commands; returns `[error, value]` for each in order, with `error` being `null` on success. A failed
   * command does not undo the others. Rejects with `E_INVALID_ARGUMENT`, with nothing sent, if an argument was invalid, missing
   * or one too many, or `exec()` was called before; and with the server's error, with nothing executed, if the server rejects a
   * command of `sendCommand` or its number of arguments.
   */
  exec(): Promise<MultiResults<Results>>
  /** The same where every value is a `T`. */
  exec<T>(): Promise<MultiResult<T>[]>
}

/** The result of one command of a transaction: its value, or the error with which it failed. */
export type MultiResult<T = unknown> = [error: null, value: T] | [error: CinnabarError, value: null]

/** The results of a transaction, in the order of its commands; `MultiResult[]` if these are not known. */
export type MultiResults<Results extends readonly unknown[] = unknown[]> = Results extends readonly []
  ? MultiResult[]
  : { [Index in keyof Results]: MultiResult<Results[Index]> }

type Appended<Results extends readonly unknown[], T> = number extends Results['length'] ? Results : [...Results, T]

/** What a function of up to two overloads promises. */
type ValueOf<F> = F extends { (...args: any): Promise<infer A>; (...args: any): Promise<infer B> } ? A | B : never

/** The arguments of a function of up to two overloads. */
type AnyParameters<F> = F extends { (...args: infer A): any; (...args: infer B): any } ? A | B : never

// --------------------------------------------------------------------------------------------------- sessions

/** Options of a `SessionManager`. */
export interface SessionManagerOptions {
  /**
   * What the keys begin with. Default `'session:'`.
   *
   * Of the prefixes of sessions, caches, limiters, locks and rooms on one store, the default ones and `ratelimit:` included, none
   * may begin with another, or an identifier of one could name a key of the other (`b:c` of `a:`, and `c` of `a:b:`). What one
   * process gives to services in use is checked. Objects of one class with the same prefix share their keys, and the prefix of a
   * queue may be any. With `''`, identifiers are keys as they are: give it only what no stranger chooses.
   */
  prefix?: string
  /** Life of a session in seconds, renewed by every update. Default `86400`, 24 hours. */
  ttl?: number
  /** Whether reading a session renews its life. Default `false`. */
  rolling?: boolean
}

/** What `createSession` adds to a session. */
export interface SessionFields {
  /** Whose session it is. */
  userId: string
  /** When it was created, as an ISO 8601 time. */
  createdAt: string
}

/**
 * The fields of this application's sessions beside `SessionFields`, for managers without a type argument, the static forms
 * included. Empty until you declare them:
 *
 * @example
 * declare module 'cinnabar' {
 *   interface SessionData {
 *     role: 'admin' | 'guest'
 *   }
 * }
 */
export interface SessionData {}

/** `SessionData`, or unknown fields while that is empty. */
export type KnownSessionData = keyof SessionData extends never ? Record<string, unknown> : SessionData

/** A session as `getSession` returns it: its data after a round trip through JSON, so that a `Date` is a string. */
export type Session<Data extends object = KnownSessionData> = SessionFields & Jsonify<Data>

/** The data of a new session, optional if no field is required, and then options. */
export type NewSession<Data extends object> = {} extends Data
  ? [data?: Data, options?: CreateSessionOptions]
  : [data: Data, options?: CreateSessionOptions]

/** How a session is created. */
export interface CreateSessionOptions {
  /** Life in seconds. Default: the manager's. */
  ttl?: number
  /** Names to destroy sessions by, such as a tenant or a device. */
  tags?: readonly string[]
  /** An id of your own. Default: 192 random bits or more from the system's generator. */
  id?: string
}

/**
 * A request as accepted by `getSession`, `validateSession` and `invalidateToken`: a fetch `Request` or its `Headers`, the request of
 * Node.js, Express or Fastify, any `{ headers }`, or what `await cookies()` of Next.js returns. Names of headers are
 * case-insensitive, and a header may have an array of values. Anything else (a promise, `URLSearchParams`, `FormData`, headers as a
 * plain object) rejects with `E_INVALID_ARGUMENT`.
 */
export type SessionRequest =
  | {
      get(name: string): { readonly value: string } | undefined
      has(name: string): boolean
      getAll(name: string): readonly { readonly value: string }[]
    }
  | { get(name: string): string | null; has(name: string): boolean }
  | { readonly headers: { get(name: string): string | null } }
  | { readonly headers: { readonly [name: string]: string | readonly string[] | undefined } }
  | { readonly headers: readonly (readonly [name: string, value: string])[] }

/** A request that may carry a session token: the token itself, a fetch request or headers, or a Node request. */
export type TokenSource = string | SessionRequest

/** Where a request carries its token. */
export interface TokenOptions {
  /** The cookie that carries it when there is no `Authorization: Bearer`. Default `'session'`. */
  cookie?: string
}

/** A session of a user without its id, which grants access to it. */
export interface DescribedSession<Data extends object = KnownSessionData> {
  /** A public id for `destroySessionOf`: 32 hexadecimal digits. It may be sent to browsers, since it does not grant access. */
  publicId: string
  /** What the session holds. */
  session: Session<Data>
  /** Its remaining ttl, in seconds. */
  ttl: number
  /** Whether it is the one whose id was given as `current`. */
  current: boolean
}

/** How `validateSession` finds a user. */
export interface ValidateOptions<User> extends TokenOptions {
  /**
   * Looks the user up where the truth is, by the SHA-256 of the token in hexadecimal; `null` when there is none.
   * Called on a miss, and whenever the server is down. One call at a time per token.
   */
  load: (tokenHash: string) => User | null | undefined | Promise<User | null | undefined>
  /** How long a found user is kept, in seconds. Default `300`. */
  ttl?: number
  /**
   * Returns the user's id, by which `invalidateUser` signs them out: a string or an integer. Default: every one of `userId`,
   * `id`, `_id`, `sub` and `user.id` that exists; each of them then works. A user without any rejects with `E_INVALID_ARGUMENT`.
   */
  userId?: (user: User) => string | number | bigint
}

/** Counts since the object was made. */
export interface CacheStats {
  /** Lookups that found a value. */
  hits: number
  /** Lookups that found none. */
  misses: number
  /** Failures of the store, those that the caller did not see included: it was answered without it. */
  errors: number
}

/** Counts since the manager was made. */
export interface SessionStats extends CacheStats {
  /** How often `validateSession` had to answer by `load` alone, because the server could not be reached. */
  fallbacks: number
}

/**
 * Sessions: plain JSON under `session:{id}` that any client can read. Every method also exists as a static one, on the
 * default service. `T` is what your sessions hold besides `userId` and `createdAt`.
 *
 * There are two separate kinds. Sessions made by `createSession` and `storeSession` are stored here, and `getSession` reads them,
 * by id or from the request that carries the id. `validateSession` is for sessions that a database owns: it stores the hash of a
 * token with the user that `load` returned, for some minutes; `getSession` and `listSessions` do not see these. `invalidateUser`
 * ends both kinds.
 *
 * Signing out is final: in every process, against concurrent writes and loads, and on a server that evicts keys. A session counts
 * as signed out if the server has lost the epoch of its user or of a tag.
 *
 * Ids, tokens, users and tags may come from clients, so where one is looked for, a string that cannot be one (empty, over 64 KiB,
 * with a NUL or a lone surrogate) counts as not found. `E_INVALID_ARGUMENT` is for values that are not strings, and for an invalid
 * id, user or tag that you create or store a session with.
 *
 * Without a server every method rejects, except `validateSession`, which calls `load`: a session must not seem gone because its
 * server is. Services with `onUnavailable: 'empty'`, the default with `NODE_ENV=development`, return empty values instead;
 * `storeSession`, which has none, and `createSession` with an `id` of your own still reject.
 *
 * @example
 * const sessions = new SessionManager<{ role: string }>()
 * const id = await sessions.createSession('user123', { role: 'admin' })
 * const session = await sessions.getSession(id) // { userId, createdAt, role } or null
 */
export interface SessionManager<Data extends object = KnownSessionData> {
  /**
   * The same sessions with their calls bound to a deadline, a signal or both; statistics and loads are shared. A caller of
   * `validateSession` whose signal aborts goes away alone: `load` goes on for the others. Bound once more, the shorter time
   * and every signal count.
   *
   * @example
   * const user = await SessionManager.with({ signal: request.signal }).validateSession(request, { load })
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): SessionManager<Data>
  /**
   * Stores `{ userId, createdAt, ...data }` for 24 h; returns the new id. A number as `userId` must be an integer and is stored
   * as text. A `userId` or `createdAt` in `data` is ignored. Rejects with `E_CONFLICT` if a session with the id that you chose
   * exists.
   */
  createSession(userId: string | number, ...rest: NewSession<Data>): Promise<string>
  /** Returns the session, or `null`. */
  getSession(id: string): Promise<Session<Data> | null>
  /**
   * Returns the session whose id a request carries, or `null`. The id is taken from `Authorization: Bearer …`, else from the
   * first non-empty cookie of that name.
   *
   * @example
   * const session = await SessionManager.getSession(request, { cookie: 'sid' })
   */
  getSession(request: SessionRequest, options?: TokenOptions): Promise<Session<Data> | null>
  /**
   * Merges `changes` into the session, field by field, and renews its ttl to the one given to `createSession` or `storeSession`,
   * whatever this manager's own `ttl`. Concurrent updates of different fields all survive; other fields keep their bytes. Returns
   * `false` if the session is gone: an update never recreates it.
   *
   * A `userId` in `changes` moves the session to that user, and `null` leaves it without one, so never pass unchecked client input.
   * It is a non-empty string, a whole number or `null`; anything else rejects with `E_INVALID_ARGUMENT`. `createdAt` does not change.
   * Rejects with `E_CONFLICT` if concurrent writers win a thousand times in a row.
   */
  updateSession(id: string, changes: Partial<Data & Pick<SessionFields, 'userId'>>): Promise<boolean>
  /** Removes the session; returns the number of keys removed, 0 or 1. */
  destroySession(id: string): Promise<number>
  /** Sets the remaining ttl, in seconds, default 3600; returns `false` if the session is gone. */
  extendSession(id: string, seconds?: number): Promise<boolean>
  /** Renews the ttl to the one that the session was given; returns `false` if the session is gone. */
  touch(id: string): Promise<boolean>
  /**
   * Stores any object under an id of your own, replacing any previous session; `ttl` is in seconds, default 3600. The session
   * belongs to the user named by its `userId`, or to no user without one. Rejects with `E_INVALID_ARGUMENT` for a `userId` that is
   * neither a non-empty string, a whole number nor `null`.
   */
  storeSession(id: string, data: Data & Partial<SessionFields>, ttl?: number): Promise<void>
  /**
   * Destroys every session created with this tag; returns how many. One write ends them all; then their values are deleted, some
   * hundred in a step. With `E_MAYBE_APPLIED`, `error.done` is how many of them are known to be deleted.
   */
  destroyByTag(tag: string): Promise<number>
  /**
   * Destroys every session of a user, validated ones included; returns how many. One write ends them all; then their values are
   * deleted, some hundred in a step. With `E_MAYBE_APPLIED`, `error.done` is how many of them are known to be deleted.
   */
  invalidateUser(userId: string | number): Promise<number>
  /**
   * Returns the ids of a user's sessions. An id grants access to its session, so show users what `describeSessions` returns
   * instead. If the server has evicted the list, a session reappears in it when it is renewed; `invalidateUser` does not need the
   * list.
   */
  listSessions(userId: string | number): Promise<string[]>
  /**
   * Returns a user's sessions in a form that is safe to show to this user, each with a public id. `current` is the id of the
   * session that makes the request.
   *
   * @example
   * const devices = await SessionManager.describeSessions('user123', { current: id })
   * await SessionManager.destroySessionOf('user123', devices[0].publicId)
   */
  describeSessions(userId: string | number, options?: { current?: string }): Promise<DescribedSession<Data>[]>
  /** Removes the session of this user with this public id; returns the number of keys removed, 0 or 1. */
  destroySessionOf(userId: string | number, publicId: string): Promise<number>
  /**
   * Removes what `validateSession` stored for a token, and prevents running loads for it, in any process, from being stored. Call
   * it after deleting the session from the database. Returns the number of keys removed, 0 or 1.
   */
  invalidateToken(request: TokenSource, options?: TokenOptions): Promise<number>
  /**
   * The user behind a token, or `null`: from the store, otherwise from `load`, whose result is then kept for `ttl` seconds. If the
   * server cannot be reached, the user comes from `load` alone, which `stats().fallbacks` counts. Calls that come while a token is
   * being loaded share that load. Each gets a copy of the user after a round trip through JSON, whether it was stored or has just
   * been loaded.
   */
  validateSession<User>(request: TokenSource, options: ValidateOptions<User>): Promise<Jsonify<User> | null>
  /** Counts of `getSession` and `validateSession` since this manager was made. */
  stats(): SessionStats
  /** The same as `createSession`. */
  create(userId: string | number, ...rest: NewSession<Data>): Promise<string>
  /** The same as `getSession`. */
  get(id: string): Promise<Session<Data> | null>
  get(request: SessionRequest, options?: TokenOptions): Promise<Session<Data> | null>
  /** The same as `updateSession`. */
  update(id: string, changes: Partial<Data & Pick<SessionFields, 'userId'>>): Promise<boolean>
  /** The same as `destroySession`. */
  destroy(id: string): Promise<number>
  /** The same as `destroySession`. */
  deleteSession(id: string): Promise<number>
}

/** Makes a `SessionManager`; also has each of its methods, on the default service. */
export interface SessionManagerConstructor extends SessionManager {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new <Data extends object = KnownSessionData>(
    service?: RedisService,
    options?: SessionManagerOptions,
  ): SessionManager<Data>
  readonly prototype: SessionManager
}

export const SessionManager: SessionManagerConstructor

// ------------------------------------------------------------------------------------------------------ cache

/**
 * The type of a value after a round trip through JSON: a `Date` becomes a string, an object with `toJSON` becomes what that
 * returns, and fields that JSON omits (functions, symbols, `undefined`) are missing. Values that cannot be stored (`Map`, `Set`,
 * `RegExp`, `Error`, `Promise`, bytes, `bigint`) are `never`. A type that JSON preserves, such as Prisma's `JsonValue`, is itself.
 *
 * @example
 * type Stored = Jsonify<{ id: number; at: Date }> // { id: number; at: string }
 *
 * function cached<T>(key: string, load: () => Promise<T>): Promise<Jsonify<T>> {
 *   return ApiCache.getOrSet(key, load)
 * }
 */
export type Jsonify<T> = 0 extends 1 & T
  ? T
  : unknown extends T
    ? unknown
    : T extends Json
      ? T
      : T extends { toJSON(...args: never[]): infer Json }
        ? T extends ArrayBuffer | ArrayBufferView
          ? never
          : Jsonify<Json>
        : T extends bigint | Unkept
          ? never
          : T extends NoJson
            ? undefined
            : T extends readonly unknown[]
              ? T[number][] extends T
                ? T extends unknown[]
                  ? Item<T[number]>[]
                  : readonly Item<T[number]>[]
                : { [Index in keyof T]: Item<T[Index]> }
              : T extends object
                ? { [Name in keyof T as Kept<Name, T[Name]>]: Field<T[Name]> }
                : never

/**
 * `T` if JSON can write it; `never` if it is, or may be, `undefined`, a function, a symbol, a `bigint`, bytes, a `Map`, `Set`, `RegExp`,
 * `Error` or `Promise`. What is within an object, and what a type parameter stands for, is checked when the call is made.
 */
export type JsonInput<T> = Verdict<T> extends 'refused' ? never : T

// The brackets let a type parameter pass, so that a generic function can hand its argument on.
type Verdict<T> = [0] extends [1 & T]
  ? 'kept'
  : [unknown] extends [T]
    ? 'kept'
    : [Unfit<T>] extends [never]
      ? 'kept'
      : 'refused'
type Unfit<T> = T extends ArrayBufferView
  ? T
  : T extends { toJSON(...args: never[]): unknown }
    ? never
    : T extends NoJson | bigint | Unkept
      ? T
      : never

type Unkept =
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakMap<object, unknown>
  | WeakSet<object>
  | RegExp
  | Error
  | Promise<unknown>
  | ArrayBuffer
  | ArrayBufferView
type NoJson = undefined | void | symbol | ((...args: never[]) => unknown)
/** In an array, values that JSON omits become `null`. */
type Item<T> = 0 extends 1 & T ? T : unknown extends T ? unknown : T extends NoJson ? null : Jsonify<T>
/** A field whose value JSON may omit is optional. */
type Field<T> = 0 extends 1 & T ? T : unknown extends T ? unknown : Jsonify<T>
type Kept<Name, T> = Name extends symbol ? never : 0 extends 1 & T ? Name : [T] extends [NoJson] ? never : Name

/** Options of an `ApiCache`. */
export interface ApiCacheOptions {
  /**
   * Prefix of the keys. Default `'api:'`. It may not overlap with another feature's or cache's, as
   * {@link SessionManagerOptions.prefix} says. With `''`, keys are used unchanged, even if something else uses them too, and
   * patterns are rejected.
   */
  prefix?: string
  /** Life of a value in seconds when it is given none. Default `300`. */
  ttl?: number
  /**
   * How long a `load` may take, in milliseconds from 1 to 2^31. After that its caller gets `E_TIMEOUT`, its key is free for
   * another load, and the callers that shared it start one. A result that arrives up to a minute later is still stored. Default:
   * a caller waits 60,000 for its own load, and 5000 for another caller's before it starts its own. `.with({ timeoutMs })` limits
   * single calls.
   */
  loadTimeoutMs?: number
  /**
   * What reads (`get`, `getMany`, `getCachedResponse`, `getImageInfo`) do when the server cannot be reached: answer that
   * there is nothing, which `stats().errors` counts, or reject. `getOrSet` loads either way. Default `'miss'`.
   */
  onUnavailable?: 'miss' | 'throw'
}

/** Counts since the cache was made. */
export interface ApiCacheStats extends CacheStats {
  /**
   * How many stale values `getOrSet` returned (`staleWhileRevalidate`). They count neither as `hits` nor as `misses`.
   */
  staleHits: number
}

/** How a value is kept. Without tags and `staleWhileRevalidate` it is plain JSON that any client can read. */
export interface CacheSetOptions {
  /** How long the value is fresh, in seconds. Default: the cache's. */
  ttl?: number
  /** Names to invalidate values by, at most 128. Any text is valid. */
  tags?: readonly string[]
  /**
   * How long after `ttl`, in seconds, `getOrSet` may still return the stale value while it loads a new one. When that load fails,
   * this process retries after a second, and doubles the wait after each further failure, up to a minute.
   */
  staleWhileRevalidate?: number
}

/** One value of `setMany`. */
export interface CacheEntry<T = unknown> extends CacheSetOptions {
  /** Its key. */
  key: string
  /** The value: anything that JSON can represent, see `ApiCache.set`. */
  value: T
}

/** What is known about an image. */
export interface ImageInfo {
  /** Its size in bytes. */
  size: number
  /** Its media type, such as `image/png`: by its content, else by its name. */
  type: string
  /** SHA-256 of its bytes in hexadecimal. */
  hash: string
  /** When this was stored, in ms since 1970. */
  timestamp: number
}

/**
 * Values cached with a ttl under `api:{key}`. Every method also exists as a static one, on the default service.
 *
 * Without a server, reads find nothing (see `onUnavailable`), and `set` and the invalidations reject: one that is lost must
 * not look as if it were done. On a service with `onUnavailable: 'empty'`, the invalidations that return a number return 0.
 *
 * Keys, tags and files may come from clients: any string is one, and those that the store should not keep as they are, such as long
 * ones, are hashed.
 *
 * @example
 * const profile = await ApiCache.getOrSet(`profile:${id}`, () => loadProfile(id), { ttl: 60, tags: [`user:${id}`] })
 * await ApiCache.invalidateByTag(`user:${id}`)
 */
export interface ApiCache {
  /**
   * The same cache with its calls bound to a deadline, a signal or both; statistics and loads are shared. A caller of `getOrSet`
   * whose signal aborts goes away alone: `load` goes on for the others, and fills the cache. Bound once more, the shorter time
   * and every signal count.
   *
   * @example
   * const page = await ApiCache.with({ timeoutMs: 100, signal: request.signal }).getOrSet('page', load)
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): ApiCache
  /**
   * Builds a key from an endpoint and its parameters, in any order: `cache:{endpoint}:{hash}`.
   *
   * Keys are equal exactly if endpoint and parameters are. Parameters are compared by contents: objects, arrays,
   * `URLSearchParams`, `Headers`, `FormData`, `URL`, `Map`, `Set`, `Date`, bytes, `bigint` and numbers (`-0` differs from `0`). A
   * field that is `undefined` counts as missing. @throws {CinnabarError} `E_INVALID_ARGUMENT` for values that cannot be compared
   * by contents: functions, symbols and instances of classes without `toJSON`. Pass their fields instead: `{ ...it }`.
   */
  keyFor(endpoint: string, params?: object): string
  /** The value, or `null`. A cached `null` reads `null` as well; `getOrSet` can tell them apart. */
  get<T = unknown>(key: string): Promise<Jsonify<T> | null>
  /**
   * Stores a value as `JSON.stringify` writes it. Wins over a running load of the same key, in any process. Any text is a valid
   * key.
   *
   * Rejects with `E_INVALID_ARGUMENT` for values that would come back as something else: bytes, a `Map`, a `Set`, a `RegExp`, an
   * `Error`, a `Promise`, a `bigint`, and other objects whose contents JSON cannot see.
   */
  set<T = unknown>(key: string, value: JsonInput<T>, options?: CacheSetOptions): Promise<void>
  /**
   * Removes a value, and prevents running loads of it, in any process, from being stored; returns the number of values removed, 0
   * or 1. If its reply is lost, the removal is sent again, and what the first attempt removed is not counted.
   */
  invalidate(key: string): Promise<number>
  /** Makes every value with this tag a miss, and the results of loads that began before. Costs the same for one value and for a million. */
  invalidateByTag(tag: string): Promise<void>
  /**
   * Removes every value whose key matches a glob, and prevents running loads of matching keys, in any process, from being stored;
   * returns the number of values removed. Scans all keys of the server, twice. `*` matches any text, `?` one character, `[a-z]`
   * one of several; a `\\` before any of them makes it literal. Letters in brackets that are not a range, as in `/blog/[slug]`,
   * are rejected: write `/blog/\\[slug\\]` to match the text. With `E_MAYBE_APPLIED`, `error.done` is how many are known to be
   * removed. If a reply is lost, its removal is sent again, and what the first attempt removed is not counted.
   */
  invalidateByPattern(pattern: string): Promise<number>
  /** Several values in the order of their keys, `null` for those that are missing. */
  getMany<T = unknown>(keys: readonly string[]): Promise<(Jsonify<T> | null)[]>
  /**
   * Stores several values in one round, or in two where they have tags. Each is stored by itself: with `E_MAYBE_APPLIED`,
   * `error.done` has the keys that are known to be stored. Storing all of them again does no harm.
   */
  setMany<Values extends readonly unknown[]>(entries: {
    readonly [Index in keyof Values]: CacheEntry<Values[Index]> & { value: JsonInput<Values[Index]> }
  }): Promise<void>
  /**
   * Returns the cached value, or calls `load` and stores what it returns. At most one load per key runs at a time for a service in
   * this process; concurrent callers share it. Every caller gets its own copy, and a loaded value is the same as a cached one: the
   * value after a round trip through JSON.
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
   * - With `staleWhileRevalidate`, a stale value is returned at once and a new one is loaded in the background; a failure of that
   *   load only counts in `stats()`.
   * - If the server cannot be reached, or the service is disconnected meanwhile, the value comes from `load` alone, still once
   *   for all concurrent callers. `stats().errors` counts it.
   */
  getOrSet<T>(key: string, load: (key: string) => T | Promise<T>, options?: CacheSetOptions): Promise<Jsonify<T>>
  /** The same as `get`. */
  getCachedResponse<T = unknown>(name: string): Promise<Jsonify<T> | null>
  /** The same as `set`, with the life as a number of seconds, 300 unless told. */
  setCachedResponse<T = unknown>(name: string, value: JsonInput<T>, ttlSeconds?: number): Promise<void>
  /** The same as `invalidate`. */
  invalidateCache(name: string): Promise<number>
  /** What is known about an image file, or `null`. Kept under the key `image:{file}`. */
  getImageInfo(file: string): Promise<ImageInfo | null>
  /** Keeps what is known about an image: read off its bytes, or as given (`timestamp` is added). Returns it. */
  setImageInfo(
    file: string,
    image: Uint8Array | ArrayBuffer | (Omit<ImageInfo, 'timestamp'> & { timestamp?: number }),
    options?: CacheSetOptions,
  ): Promise<ImageInfo>
  /** Forgets what is known about an image; returns the number of values removed, 0 or 1, as `invalidate` does. */
  invalidateImage(file: string): Promise<number>
  /** Counts since this cache was made. */
  stats(): ApiCacheStats
}

/** Makes a `ApiCache`; also has each of its methods, on the default service. */
export interface ApiCacheConstructor extends ApiCache {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new (service?: RedisService, options?: ApiCacheOptions): ApiCache
  readonly prototype: ApiCache
}

export const ApiCache: ApiCacheConstructor

// ----------------------------------------------------------------------------------------------------- limits

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

// ------------------------------------------------------------------------------------------------------ locks

/** Options of a `DistributedLock`. */
export interface DistributedLockOptions {
  /**
   * What the keys begin with. Default `'lock:'`. Must not overlap with another prefix: see
   * {@link SessionManagerOptions.prefix}.
   */
  prefix?: string
}

/** What `withLock` passes to its operation beside the token. */
export interface LockContext {
  /** Aborts with `E_LOCK_LOST` once the lock is lost. */
  readonly signal: AbortSignal
}

/**
 * Locks between processes: a token under `lock:{resource}` that dies by itself. Every method also exists as a static
 * one, on the default service.
 *
 * Nothing is locked under a resource that is empty, has over 64 KiB, a NUL or a lone surrogate: `acquireLock` and `withLock` reject
 * with `E_INVALID_ARGUMENT`; `releaseLock` and `extendLock` return `false`, as for such a token.
 *
 * Without a server nothing is granted: every method rejects. On a service with `onUnavailable: 'empty'`, `acquireLock` returns
 * `null`, `releaseLock` and `extendLock` return `false`; but `withLock` rejects, and so do those two with the token of a running
 * `withLock`, whose lock is not lost by that.
 *
 * @example
 * await DistributedLock.withLock(`order:${id}`, () => charge(id))
 */
export interface DistributedLock {
  /**
   * The same locks with their calls bound to a deadline, a signal or both. A signal keeps `withLock` from waiting for the lock,
   * not from releasing it: a lock that it got is always released. It does not end `operation`, which may look at it itself.
   * Bound once more, the shorter time and every signal count.
   *
   * @example
   * await DistributedLock.with({ signal }).withLock(`order:${id}`, () => charge(id))
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): DistributedLock
  /**
   * Takes the lock for `ttlSeconds` (30); returns the token that releases it, or `null` when somebody else holds it. After
   * `E_MAYBE_APPLIED` or `E_ABORTED` the lock may have been acquired with a token that no caller received: this process then
   * releases it as soon as the store is reachable, and in any case it is free again after `ttlSeconds`.
   */
  acquireLock(resource: string, ttlSeconds?: number): Promise<string | null>
  /** Releases the lock if it is still held by this token; `false` when it is not. A server that restarted has forgotten it. */
  releaseLock(resource: string, token: string): Promise<boolean>
  /** Sets the remaining life of the lock to `ttlSeconds` (30) if it is still held by this token; `false` when it is not. */
  extendLock(resource: string, token: string, ttlSeconds?: number): Promise<boolean>
  /**
   * Runs `operation` while holding the lock, and returns its result. Rejects with `E_LOCK_HELD` if the lock is held elsewhere,
   * and with the operation's own error if it fails. The lock is always released; if the release fails, it expires after
   * `ttlSeconds` (30). `operation` gets the token, with which it can extend the lock, and a `signal` that aborts once the lock is
   * lost: its ttl has passed, by this process's clock since the lock was requested, or `extendLock` or `releaseLock` with its
   * token returned `false`. An operation that continues after that no longer has exclusive access; its result is returned all the
   * same, and the loss is logged (`lock-lost`).
   *
   * @example
   * await DistributedLock.withLock('report', async (token, { signal }) => {
   *   for (const page of pages) {
   *     signal.throwIfAborted()
   *     await write(page, { signal })
   *   }
   * })
   */
  withLock<T>(
    resource: string,
    operation: (token: string, context: LockContext) => T | Promise<T>,
    ttlSeconds?: number,
  ): Promise<T>
}

/** Makes a `DistributedLock`; also has each of its methods, on the default service. */
export interface DistributedLockConstructor extends DistributedLock {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new (service?: RedisService, options?: DistributedLockOptions): DistributedLock
  readonly prototype: DistributedLock
}

export const DistributedLock: DistributedLockConstructor

// ------------------------------------------------------------------------------------------ rooms and messages

/** Options of a `RealtimeDataManager`. */
export interface RealtimeDataManagerOptions {
  /**
   * What the keys begin with. Default `'room:'`. Must not overlap with another prefix: see
   * {@link SessionManagerOptions.prefix}.
   */
  prefix?: string
  /**
   * How long a process may be silent before those who joined through it count as gone, in milliseconds from 100 to 3600000.
   * Others notice within a third of it more. Default `10000`.
   */
  leaseMs?: number
}

/** A user in a room as `getRoomUsers` returns it: its fields after a round trip through JSON. */
export type RoomUser<T extends object = Record<string, unknown>> = Jsonify<T> & {
  /** When the user joined. */
  joinedAt: string
}

/** What stands in for a stored user that is not JSON. */
export interface InvalidRoomUser {
  /** Says so. */
  error: 'Invalid data'
}

/** A message as `getRecentMessages` returns it: its fields after a round trip through JSON. */
export type RoomMessage<T extends object = Record<string, unknown>> = Jsonify<T> & {
  /** When it was stored. */
  timestamp: string
}

/** A message as `send` stores and tells it. */
export type SentMessage<T extends object = Record<string, unknown>> = RoomMessage<T> & {
  /** Its number: one more than that of the message before it in its room. */
  seq: number
}

/**
 * A connection of a user that is in a room. It does not keep the process alive: that is for the socket behind it. One that ends
 * without `leave()` and without `disconnect()` is swept out when its lease is over.
 */
export interface Membership extends AsyncDisposable {
  /** Which room. */
  readonly roomId: string
  /** Who is in it. */
  readonly userId: string
  /**
   * Takes the connection out; its user leaves the room with the last one. Never rejects: where the server cannot be told within
   * `timeoutMs`, it is told as soon as it answers again. May be called twice, also after `disconnect()`, which has all leave.
   */
  leave(): Promise<void>
  /** `leave()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** Somebody came, left, or is known by something else from now on. Told once a user, however many connections that is. */
export interface RoomChange<T extends object = Record<string, unknown>> {
  /** `update`: the user was there, and `user` is new. */
  type: 'join' | 'leave' | 'update'
  /** Who. */
  userId: string
  /** What is known; of one who has left, what was. */
  user: RoomUser<T> | InvalidRoomUser
}

/** How to watch a room. */
export interface WatchOptions {
  /** Called when the watch has ended by itself: another type of value is in its place. Default: one line of `console.error`. */
  onError?: (error: CinnabarError) => void
}

/** An open watch. Keeps the process alive, and sweeps dead processes out of all rooms of its prefix. */
export interface RoomWatch<T extends object = Record<string, unknown>> extends Subscription {
  /** Which room. */
  readonly roomId: string
  /** Who is there, by id, as far as has been told. Current when a change is told. */
  readonly users: ReadonlyMap<string, RoomUser<T> | InvalidRoomUser>
}

/** An open watch without a handler. What waits for a slow loop is bounded: it may be told what has become of several changes. */
export interface RoomWatchStream<T extends object = Record<string, unknown>> extends RoomWatch<T> {
  /** @throws {CinnabarError} from `next()`, once, when the watch has ended by itself. */
  [Symbol.asyncIterator](): AsyncIterableIterator<RoomChange<T>>
}

/** How to listen to a room without a handler. */
export interface ListenStreamOptions {
  /**
   * The number of the last message that is known already: what was sent after it comes first. `0`: all that is kept. Default:
   * only what is sent from now on.
   */
  since?: number
  /**
   * Called where messages are missing, in their place: more than the last 100, or 24 hours, or lost with the server's
   * data. Default: one line of `console.warn` at the first gap; an iterator tells by `missed`.
   */
  onGap?: (gap: Gap) => void
}

/** How to listen to a room. */
export interface ListenOptions extends ListenStreamOptions {
  /** Called when listening has ended by itself: another type of value is in its place. Default: one line of `console.error`. */
  onError?: (error: CinnabarError) => void
}

/** An open listener without a handler. A loop that waits for its body gets the next message when it asks for it. */
export interface RoomMessageStream<T extends object = Record<string, unknown>> extends Subscription {
  /** @throws {CinnabarError} from `next()`, once, when listening has ended by itself. */
  [Symbol.asyncIterator](): AsyncIterableIterator<HeardMessage<T>>
}

/** One message of a `RoomMessageStream`. */
export interface HeardMessage<T extends object = Record<string, unknown>> {
  /** Its number. */
  seq: number
  /** What was sent. */
  message: SentMessage<T>
  /** How many messages are missing between the one before and this one. */
  missed: number | 'unknown'
}

/**
 * Rooms: who is in them, and the last hundred messages of 24 hours. Every method also exists as a static one, on the default
 * service.
 *
 * `addUserToRoom` and `storeMessage` write and no more. `join` and `send` do what a chat needs on several servers: a
 * connection leaves with its process, however that ends, and a message has a number by which nothing is missed unnoticed.
 *
 * Rooms and users may come from clients. Of a string that cannot be the id of one (empty, over 64 KiB, with a NUL or a lone
 * surrogate) there is nothing to read or remove, and `watch` and `listen` report nothing until they are closed. Methods that write
 * reject with `E_INVALID_ARGUMENT`.
 *
 * Without a server every method rejects. On a service with `onUnavailable: 'empty'`, `getRoomUsers` returns `{}`,
 * `getRecentMessages` `[]` and `removeUserFromRoom` 0.
 *
 * Sweeping goes by leases and needs a server that forgets nothing by itself: `maxmemory-policy noeviction`.
 */
export interface RealtimeDataManager {
  /**
   * The same rooms with their calls bound to a deadline, a signal or both. Bound once more, the shorter time and every signal
   * count.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): RealtimeDataManager
  /** Puts a user into a room, or replaces what is known about one. `joinedAt` is added. */
  addUserToRoom<T extends object>(roomId: string, userId: string, info?: T & Fields<T>): Promise<void>
  /** Takes a user out of a room; returns how many were taken out, 0 or 1. */
  removeUserFromRoom(roomId: string, userId: string): Promise<number>
  /**
   * Returns the users of a room by id, as an object without a prototype; empty if the room is. A value that is not valid JSON
   * reads as `{ error: 'Invalid data' }`.
   */
  getRoomUsers<T extends object = Record<string, unknown>>(
    roomId: string,
  ): Promise<Record<string, RoomUser<T> | InvalidRoomUser>>
  /**
   * Stores a message, with `timestamp` added. The last 100 are kept, for 24 h. A `seq` field that could be mistaken for the
   * number of a sent message is removed.
   */
  storeMessage<T extends object>(roomId: string, message: T & Fields<T>): Promise<void>
  /** The newest messages first, 10 unless told. Sent ones have a `seq`. */
  getRecentMessages<T extends object = Record<string, unknown>>(
    roomId: string,
    count?: number,
  ): Promise<RoomMessage<T>[]>
  /**
   * Puts a connection of a user into a room until it leaves: by `leave()`, by `disconnect()`, or, should this process die, when
   * its lease is over (`leaseMs`, and a third of it). The user is there from the first connection of any process to the last,
   * with the `info` of the first, at most 64 KiB as JSON. `removeUserFromRoom` takes out a user whatever connections there are.
   *
   * @example
   * socket.on('connection', async (socket) => {
   *   const membership = await rooms.join('lobby', 'ada', { colour: 'red' })
   *   socket.on('close', () => membership.leave())
   * })
   * @throws {CinnabarError} also `E_TIMEOUT`, when there was no answer in time: a seat that comes later is given back.
   */
  join<T extends object>(roomId: string, userId: string, info?: T & Fields<T>): Promise<Membership>
  /**
   * Tells who comes and goes, from those on who are in `users` when this resolves. Nothing is told of changes that other
   * clients make to the hash by themselves before the next look, every half minute or so.
   */
  watch<T extends object = Record<string, unknown>>(
    roomId: string,
    handler: (change: RoomChange<T>) => unknown,
    options?: WatchOptions,
  ): Promise<RoomWatch<T>>
  watch<T extends object = Record<string, unknown>>(roomId: string): Promise<RoomWatchStream<T>>
  /**
   * Adds a message as `storeMessage` does, with `seq` besides, and tells it to who listens; returns `seq`. At most 1 MiB as
   * JSON. The first number of a room is the time in microseconds, each further one is one more. After `E_MAYBE_APPLIED` it may
   * or may not have been sent.
   */
  send<T extends object>(roomId: string, message: T & Fields<T>): Promise<number>
  /**
   * Calls `handler` for what was sent after `since`, and then for what is sent: in the order of the numbers, each once, whatever
   * becomes of the connection. What is missing is told where it is missing. A listener that is slow is told later; nobody
   * waits for it, and it costs no memory to speak of. Stored messages, which have no number, are not told.
   *
   * @example
   * const listener = await rooms.listen('lobby', (message) => socket.send(JSON.stringify(message)), {
   *   since: lastSeen,
   *   onGap: ({ missed }) => socket.send(JSON.stringify({ missed })),
   * })
   */
  listen<T extends object = Record<string, unknown>>(
    roomId: string,
    handler: (message: SentMessage<T>, seq: number) => unknown,
    options?: ListenOptions,
  ): Promise<Subscription>
  listen<T extends object = Record<string, unknown>>(
    roomId: string,
    options?: ListenStreamOptions,
  ): Promise<RoomMessageStream<T>>
}

/** Makes a `RealtimeDataManager`; also has each of its methods, on the default service. */
export interface RealtimeDataManagerConstructor extends RealtimeDataManager {
  /**
   * Without a service it uses the default one, which reads its settings from the environment on its first call.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, or if `service` is not a `RedisService`.
   * `E_INVALID_SETTINGS` for an invalid prefix, or one that overlaps with another.
   */
  new (service?: RedisService, options?: RealtimeDataManagerOptions): RealtimeDataManager
  readonly prototype: RealtimeDataManager
}

export const RealtimeDataManager: RealtimeDataManagerConstructor

/** Gets each message. May be asynchronous; nobody waits for it. */
export type MessageHandler<T = unknown> = (value: T, channel: string) => unknown

/** How to publish. */
export interface PublishOptions {
  /**
   * Whether the channel is a sharded one (`SPUBLISH`): only those who subscribed with `sharded` hear it. In a cluster, messages
   * of other channels travel to every node. Redis 7 or later, or Valkey. Default `false`.
   */
  sharded?: boolean
}

/** How to subscribe, with a handler or without. */
export interface StreamOptions {
  /** Whether every message is delivered as a `Buffer`, unparsed. Default `false`: only messages that are not valid UTF-8 are. */
  buffers?: boolean
  /** Whether the channel is a glob: `*`, `?`, `[a-z]`. Default `false`. */
  pattern?: boolean
  /**
   * Whether the channel is a sharded one (`SSUBSCRIBE`), which in a cluster only the node of its slot and its replicas hear of: it is
   * subscribed there, over one connection a node, and again wherever the slot goes, with a gap told. Redis 7 or later, or
   * Valkey. Default `false`. Not with `pattern`.
   */
  sharded?: boolean
  /**
   * How much may wait for a handler or a loop that is slower than the channel. Default 10,000 messages and 16 MiB. A single
   * message is never too much.
   */
  buffer?: {
    /** Messages, at least 1. */
    messages?: number
    /** Bytes of what was published, at least 1. */
    bytes?: number
  }
  /**
   * What becomes of what is too much. `'drop-oldest'` (the default): the oldest messages that wait go, and a gap with their
   * number is told in their place. `'error'`: what waits is still delivered, and then the subscription ends with
   * `E_BACKPRESSURE`; nothing is dropped before that.
   */
  overflow?: 'drop-oldest' | 'error'
  /**
   * Called when messages were missed, in the place where they are missing. `missed` is how many: those that were dropped
   * because too much waited; or `'unknown'`, because the connection was lost and has been made again. Default: one line of
   * `console.warn` at the first gap; with an iterator, nothing, for each message says what was missed before it.
   */
  onGap?: (gap: Gap) => void
}

/** How to subscribe with a handler. */
export interface SubscribeOptions extends StreamOptions {
  /** Called when the subscription has ended by itself, as `overflow: 'error'` does. Default: one line of `console.error`. */
  onError?: (error: CinnabarError) => void
}

/** Messages that a subscription missed. */
export interface Gap {
  /** How many, if anybody knows. */
  missed: number | 'unknown'
}

/** An open subscription. Keeps the process alive. */
export interface Subscription extends AsyncDisposable, Disposable {
  /** Ends it; no handler is called after that. May be called twice. */
  close(): Promise<void>
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
  /** `close()`, for `using`. */
  [Symbol.dispose](): void
}

/**
 * An open subscription without a handler. It ends when it is closed, also by `break` or `disconnect()`; what waits then is
 * let go. Several loops over one subscription share its messages: each goes to one of them, in the order of asking.
 */
export interface MessageStream<T = unknown> extends Subscription {
  /** @throws {CinnabarError} from `next()`: `E_BACKPRESSURE`, once, when the subscription has ended by `overflow: 'error'`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<T>>
}

/** One message of a `MessageStream`. */
export interface Message<T = unknown> {
  /** Where it was published. */
  channel: string
  /** The published value. Text that is not JSON is a string; bytes that are not valid UTF-8 are a `Buffer`. */
  value: T
  /** How many messages are missing between the one before and this one. */
  missed: number | 'unknown'
}

/** `publish` of the default service. */
export function publish<T>(channel: string, value: JsonInput<T> | Uint8Array, options?: PublishOptions): Promise<number>

/** `subscribe` of the default service. */
export function subscribe<T = unknown>(
  channel: string,
  handler: MessageHandler<T>,
  options?: SubscribeOptions,
): Promise<Subscription>
export function subscribe<T = unknown>(channel: string, options?: StreamOptions): Promise<MessageStream<T>>

// ------------------------------------------------------------------------------------------------------ queues

/** Options of a `JobQueue`. Whoever uses a queue should give the same. */
export interface JobQueueOptions {
  /** Where the queue lives. Default: the service that the environment describes. */
  service?: RedisService
  /** What the keys begin with. Default `'queue:'`. */
  prefix?: string
  /**
   * Lease of a worker on its jobs, in milliseconds from 100 to 3,600,000; renewed three times within that. When a process dies,
   * other workers take over its jobs after their leases expire; those that had started count a crash, see `maxCrashes`. A lease
   * that expires only because the server's clock was set forward is not taken over. Default `10000`.
   */
  leaseMs?: number
  /** Most bytes of the data of a job, or of its result, as JSON. Default `1048576`. */
  maxBytes?: number
  /**
   * How many crashes a job is dead after: how often the process of its worker may die, or lose its lease, after the job started.
   * Any job that ran in that process may have killed it. So from its second crash on, and before one that could be its last, a job
   * runs alone, on a worker that runs nothing else, one such job of the queue at a time: a job that keeps killing its workers adds
   * at most two crashes to the count of others, and none to those that had not started. If no worker is idle, one of them finishes
   * its jobs first; the others go on. With `1`, everything that ran beside it is dead. Default `5`.
   *
   * A worker knows only its own jobs. If several workers, of one queue or of several, run in one process, a job that ends the process
   * also adds a crash to each job that the others are running, even to one that runs alone on its worker. So run jobs that may end
   * their process where there is only one worker.
   */
  maxCrashes?: number
  /** Which finished jobs are kept. The oldest go first when one of the bounds is exceeded. */
  keep?: {
    /** Those that are done; `false` keeps none. Default: 100, for an hour, within 1 MB. */
    done?: false | KeepOptions
    /** Those that are dead; `false` keeps none. Default: 1000, for 7 days, within 10 MB. */
    dead?: false | KeepOptions
  }
  /** What holds for every job that does not say otherwise. */
  defaults?: Omit<JobOptions, 'id' | 'dedup'>
}

/** How much of what has finished is kept. */
export interface KeepOptions {
  /** At most so many jobs. */
  count?: number
  /** At most for so many seconds. */
  ageSeconds?: number
  /** At most so many bytes of data and results together; 16 times as many of jobs that finished less than a second ago. */
  bytes?: number
}

/** Options of one job. */
export interface JobOptions {
  /** Not before so many milliseconds have passed. Default `0`. */
  delay?: number
  /** How often it is tried at most. Default `3`. */
  attempts?: number
  /**
   * How long it waits after an attempt that failed: a fixed number of milliseconds, or how they grow. Default: a second,
   * doubled each time, at most an hour, more or less by a fifth.
   */
  backoff?: number | BackoffOptions
  /** From -500 to 500; lower goes first, and of the same priority whatever was added first. Default `0`. */
  priority?: number
  /**
   * The id, at most 512 bytes. Where there is a job of this id, in whatever state, nothing is added and that one is answered.
   * Default: one that nobody else has.
   */
  id?: string
  /**
   * What makes two jobs the same. While there is another with this that has not finished, or was added less than `ttlMs`
   * milliseconds ago, nothing is added and that one is answered.
   */
  dedup?: string | { id: string; ttlMs?: number }
  /**
   * How long an attempt may take, in milliseconds. Then it has failed and its `signal` aborts, whatever the handler does, even
   * where it blocks the event loop. Default 30 minutes.
   */
  timeoutMs?: number
  /** Whether it is kept once it is done, as the queue says. A dead job is kept in any case. Default `true`. */
  keep?: boolean
  /** The group whose limits it counts for, at most 512 bytes: a tenant, a host that is called. */
  group?: string
}

/** How the waits between attempts grow. */
export interface BackoffOptions {
  /** Whether they stay the same or double. Default `'exponential'`. */
  type?: 'fixed' | 'exponential'
  /** The first wait, in milliseconds. Default `1000`. */
  delayMs?: number
  /** The longest wait, in milliseconds. Default an hour. */
  maxMs?: number
  /** Which part of a wait is chance, from 0 to 1: it may be that much shorter or longer. Default `0.2`. */
  jitter?: number
}

/** A job for `addMany`. `data` is any JSON-serializable value, and is optional only if `Data` includes `undefined`. */
export type NewJob<Data = unknown> = JobOptions & {
  /** What kind of job it is, at most 512 bytes. */
  name: string
} & (undefined extends Data ? { data?: Data } : { data: Data })

/** The data of a job, optional only if `Data` includes `undefined`, and then its options. */
export type DataAnd<Data, Options> = undefined extends Data
  ? [data?: Data, options?: Options]
  : [data: Data, options?: Options]

/** Where a job is: it waits for a worker, for its time, is with a worker, is done, or has failed permanently. */
export type JobState = 'ready' | 'delayed' | 'active' | 'done' | 'dead'

/** What is kept of what a handler threw, of its message and stack at most 8192 characters each. */
export interface JobError {
  /** The class of the error; `'Error'` for what was none. */
  name: string
  /** What it says. */
  message: string
  /** Its `code`, if it had one: a string or a number. A job that exceeded its time has `'E_TIMEOUT'`. */
  code?: string | number
  /** Where it was thrown. */
  stack?: string
}

/** What can be done with a job wherever it comes from. */
export interface JobHandle<Result = unknown> {
  /** Its id. */
  readonly id: string
  /**
   * Waits until the job has finished, wherever it runs, and returns its result. Keeps the process alive meanwhile, and without a
   * server goes on waiting.
   *
   * A call that is pending when the job ends gets its outcome, even if the queue does not keep the job; so does one within two seconds
   * of that end, if the job finished less than a second after it was added.
   *
   * Rejects with `E_JOB_FAILED` when it is dead, with `E_JOB_GONE` when it was removed or had finished before and was not kept,
   * with `E_TIMEOUT` after `timeoutMs` milliseconds (default: none), and with `E_CLOSED` when the queue or its service is closed.
   *
   * @example
   * const job = await queue.add('resize', { file })
   * const { width } = await job.finished({ timeoutMs: 60_000 })
   */
  finished(options?: { timeoutMs?: number }): Promise<Jsonify<Result>>
}

/** A job that was added. */
export interface AddedJob<Data = unknown, Result = unknown> extends JobHandle<Result> {
  /** Whether it was. If not, there was one already, and `id` is that one's; `name` and `data` are what was given here. */
  readonly isNew: boolean
  /** What kind of job it is. */
  readonly name: string
  /** What it is about, as it was given. */
  readonly data: Data
}

/** A job as its handler gets it. */
export interface ActiveJob<Data = unknown, Result = unknown> extends JobHandle<Result> {
  /** What kind of job it is. */
  readonly name: string
  /** What it is about, after a round trip through JSON. */
  readonly data: Jsonify<Data>
  /** Always `'active'`. */
  readonly state: 'active'
  /** Which attempt this is, from 1. */
  readonly attempt: number
  /** How many there are. */
  readonly attempts: number
  /** How many workers crashed while they ran it. A crash does not use up an attempt. */
  readonly crashes: number
  /** Lower goes first. */
  readonly priority: number
  /** Its group, or `null`. */
  readonly group: string | null
  /** How long an attempt may take, in milliseconds. */
  readonly timeoutMs: number
  /** When it was added, in epoch milliseconds of the server's clock. */
  readonly createdAt: number
}

/** A job as it was when it was read; nothing of it changes by itself. Times are epoch milliseconds of the server's clock. */
export interface Job<Data = unknown, Result = unknown> extends JobHandle<Result> {
  /** What kind of job it is. */
  readonly name: string
  /** What it is about, after a round trip through JSON. */
  readonly data: Jsonify<Data>
  /** Where it is. */
  readonly state: JobState
  /** How many attempts have begun. */
  readonly attempt: number
  /** How many there are. */
  readonly attempts: number
  /** How many workers crashed while they ran it. */
  readonly crashes: number
  /** Lower goes first. */
  readonly priority: number
  /** Its group, or `null`. */
  readonly group: string | null
  /** How long an attempt may take, in milliseconds. */
  readonly timeoutMs: number
  /** What its handler said last of how far it is. */
  readonly progress: unknown
  /** What its handler answered. */
  readonly result: Jsonify<Result> | undefined
  /** What went wrong in the last attempt that failed, or `null`. */
  readonly error: JobError | null
  /** When it was added. */
  readonly createdAt: number
  /** When it may start, while it is delayed; else `null`. */
  readonly dueAt: number | null
  /** When its last attempt began, or `null`. */
  readonly startedAt: number | null
  /** When it finished, or `null`. */
  readonly finishedAt: number | null
}

/** What a handler gets beside its job. May be taken apart. */
export interface JobContext {
  /**
   * Aborts when this attempt is over without the handler: its time has passed (`E_TIMEOUT`), the job was removed or is another worker's
   * by now (`E_JOB_GONE`), or the worker closes and has given it back (`E_CLOSED`). What the handler does after that changes nothing.
   */
  readonly signal: AbortSignal
  /**
   * Says how far the job is: a JSON-serializable value, at most 65,536 bytes. Sent at most every 50 ms; the latest value is kept.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for what JSON cannot write, and what is too long.
   */
  readonly progress: (value: unknown) => void
  /**
   * Adds a line to the log of the job, of which the last 1000 are kept; after 8192 characters it is cut.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for what is no string.
   */
  readonly log: (line: string) => void
}

/**
 * Does one attempt at a job. What it returns, as JSON, is the job's result; what it throws ends the attempt, and the next one
 * follows after the job's `backoff` unless it was the last, or an `UnrecoverableError`. A result that JSON cannot write, or
 * that is larger than `maxBytes`, ends the attempt as an error does.
 *
 * A job may be done more than once: when a process or its connection is lost after the work and before the store has heard of
 * it, it is done again.
 */
export type JobHandler<Data = unknown, Result = unknown> = (
  job: ActiveJob<Data, Result>,
  context: JobContext,
) => Result | Promise<Result>

/** At most `max` starts in any `perMs` milliseconds. */
export interface StartRate {
  /** How many, from 1 to 100,000. */
  max: number
  /** Within how many milliseconds, from 1 to a year. */
  perMs: number
}

/** How a worker works. */
export interface WorkerOptions {
  /** How many jobs it runs at once, 1 to 10,000. Default `1`. */
  concurrency?: number
  /**
   * Bounds over all workers of the queue together, in whatever process; all should say the same. They are never exceeded, and
   * cost a worker that short jobs are not taken ahead.
   */
  limits?: {
    /** At most so many jobs at once. */
    concurrency?: number
    /** At most so many starts in a time. */
    rate?: StartRate
    /** The same for each group of jobs by itself. */
    group?: {
      /** At most so many jobs of a group at once. */
      concurrency?: number
      /** At most so many starts of jobs of a group in a time. */
      rate?: StartRate
    }
  }
}

/** Somebody who runs the jobs of a queue. Keeps the process alive until it is closed. */
export interface JobWorker extends AsyncDisposable {
  /** How many jobs run here now. */
  readonly running: number
  /** Whether it takes nothing new. */
  readonly isPaused: boolean
  /** Takes nothing new; what runs goes on. Of this worker only: `queue.pause()` is for all. */
  pause(): void
  /** Takes jobs again. */
  resume(): void
  /**
   * Takes nothing new, gives back what was not begun, and waits at most `timeoutMs` (5000) for what runs. What still runs then is
   * given back to the queue, which costs it no attempt, and its `signal` aborts. Returns the ids of those jobs, and of
   * those whose end the store could not be told. May be called twice. `service.disconnect()` does the same within its
   * `drainMs`.
   */
  close(options?: { timeoutMs?: number }): Promise<ClosedWorkers>
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** What became of the jobs of workers that were closed. */
export interface ClosedWorkers {
  /** Ids of jobs that were begun and did not come to their end here. Others will do them. */
  unfinished: string[]
}

/** How many jobs are in each state. */
export interface JobCounts {
  /** Waiting for a worker. */
  ready: number
  /** Waiting for their time. */
  delayed: number
  /** With a worker. */
  active: number
  /** Done and kept. */
  done: number
  /** Dead and kept. */
  dead: number
  /** Whether the queue is paused. */
  paused: boolean
}

/** What a queue tells of its jobs, in whatever process. What is too long for a message is left out, and the rest `partial`: `get` reads it. */
export interface JobQueueEvents<Result = unknown> {
  /** A job was added. */
  added: { id: string; name: string }
  /** An attempt begins. */
  active: { id: string; attempt: number }
  /** A job said how far it is. */
  progress: { id: string; progress?: unknown; partial?: true }
  /** A job is done. */
  completed: { id: string; attempt: number; result?: Jsonify<Result>; partial?: true }
  /** An attempt failed, whatever follows. */
  failed: { id: string; attempt: number; error?: JobError }
  /** An attempt failed, and another one follows. */
  retrying: { id: string; attempt: number; delayMs: number; error?: JobError; partial?: true }
  /** The worker that ran the job crashed; the job is ready again, and from its second crash on it runs alone. */
  stalled: { id: string; crashes: number }
  /** A job failed permanently; `attempt` is 0 where no attempt failed but every worker was gone. */
  dead: { id: string; attempt: number; error?: JobError; partial?: true }
  /** A job was removed. */
  removed: { id: string }
  /** A dead job starts anew. */
  retried: { id: string }
  /** Events were missed: so many, or nobody knows how many, because the connection was lost or a listener is too slow. */
  gap: { missed: number | 'unknown' }
  /**
   * A worker of this process cannot go on; told once until it can, or until it is for another reason. Without a listener, what is not
   * a server that cannot be reached is one line of `console.warn`.
   */
  error: CinnabarError
}

/** When a job repeats: every `everyMs`, or by `cron`. */
export type RepeatSchedule = RepeatBounds &
  (
    | {
        /**
         * Milliseconds from slot to slot, at least 100. They are counted from `startAt`, or else from 1970 in UTC: every hour means at each
         * full hour, whoever said it when.
         */
        everyMs: number
        cron?: undefined
        timeZone?: undefined
      }
    | {
        /**
         * Five fields: minute, hour, day of month, month, day of week; or six, with seconds first. `* , - / L W #`, names such as `MON` and
         * `JAN`, and `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. Where day of month and day of week are both restricted, a day
         * that matches either is meant, and only one that matches both when the day of week begins with `+`.
         *
         * On days when clocks change: with a `*` in seconds, minutes or hours (or with all 24 hours listed) it follows real time, so that
         * what is every 15 minutes stays every 15 minutes. A time that is skipped has no slot then, one that comes twice has two. Any other
         * expression names times of day, each of which has exactly one slot a day: one that is skipped at the moment of the jump, one
         * that comes twice the first time.
         */
        cron: string
        /** The IANA time zone of the expression, such as `Europe/Berlin`. Default `UTC`. The package brings the zones with it. */
        timeZone?: string
        everyMs?: undefined
      }
  )

/** Which slots of a schedule count. */
export interface RepeatBounds {
  /** No slot before this; a time in epoch milliseconds or a `Date`. */
  startAt?: number | Date
  /** No slot after this. */
  endAt?: number | Date
  /** At most so many slots fire, from 1. */
  limit?: number
}

/** A repeat as it is kept. Times are epoch milliseconds. */
export interface Repeat<Data = unknown> {
  /** Its id in its queue. */
  id: string
  /** Milliseconds from slot to slot, if it is an interval. */
  everyMs: number | null
  /** The cron expression, if it is one. */
  cron: string | null
  /** The zone of the expression. */
  timeZone: string | null
  /** No slot before this. */
  startAt: number | null
  /** No slot after this. */
  endAt: number | null
  /** At most so many slots fire. */
  limit: number | null
  /** So many have fired. */
  fired: number
  /** The next slot; `null` when `endAt` or `limit` is reached. */
  nextAt: number | null
  /** What kind of job it adds. */
  name: string
  /** What that job is about, after a round trip through JSON. */
  data: Jsonify<Data>
  /** How many attempts it has. */
  attempts: number
  /** Its priority. */
  priority: number
  /** Its group. */
  group: string | null
  /** How long an attempt may take. */
  timeoutMs: number
}

/**
 * Jobs that are kept until somebody has done them, shared by all processes that name the queue alike.
 *
 * Each job is done at least once: a worker has a lease on it, which is renewed outside the event loop, and when the lease runs out
 * because its process is gone, another worker gets it. Without a server every call rejects, whatever `onUnavailable`
 * says; workers go on when it is back.
 *
 * Ids of jobs and repeats may come from clients: of a string that cannot be one (empty, over 512 bytes, with a NUL or a lone surrogate)
 * there is no job, no log and no repeat. Methods that add one reject with `E_INVALID_ARGUMENT`.
 *
 * @example
 * const mails = new JobQueue<{ to: string }, string>('mails')
 * const worker = mails.process(async (job, { signal }) => send(job.data.to, signal), { concurrency: 10 })
 * await mails.add('welcome', { to: 'ada@example.com' }, { attempts: 5 })
 */
export class JobQueue<Data = unknown, Result = unknown> implements AsyncDisposable {
  /**
   * @param name Not empty; queues of one name and prefix are the same queue.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for a bad name or option, `E_INVALID_SETTINGS` for one out of its bounds.
   */
  constructor(name: string, options?: JobQueueOptions)
  /** Its name. */
  readonly name: string
  /**
   * The same queue with its calls bound to a deadline, a signal or both. Workers, and jobs that run, are not bound by it. Bound
   * once more, the shorter time and every signal count.
   *
   * @example
   * await queue.with({ timeoutMs: 200 }).add('name', data)
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option.
   */
  with(limits: CallLimits): JobQueue<Data, Result>
  /**
   * Adds a job. When it rejects, adding the same with the same `id` again does no harm.
   *
   * Rejects with `E_INVALID_ARGUMENT` for data that JSON cannot write or that is larger than `maxBytes`, and for bad options.
   */
  add(name: string, ...rest: DataAnd<Data, JobOptions>): Promise<AddedJob<Data, Result>>
  /**
   * Adds many jobs, in their order and in the fewest round trips. When it rejects because of one of them, none was added; when it
   * rejects with `E_MAYBE_APPLIED`, some may have been: `error.done` has the ids of those that are known to be in the queue. Adding
   * the same again does no harm to jobs with an `id`.
   */
  addMany(jobs: readonly NewJob<Data>[]): Promise<AddedJob<Data, Result>[]>
  /**
   * Runs jobs from now on, each by `handler`, in the asynchronous context of this call. See `JobHandler` for what becomes of
   * what it returns and throws.
   *
   * In development (`NODE_ENV=development` or `bun --hot`), a module that is evaluated again replaces the workers, listeners and
   * subscriptions that it started during its previous evaluation. In Next.js, start workers in `register()` of
   * `instrumentation.ts`.
   *
   * A job that failed permanently is logged on `console.error`, at most once a minute per queue, with the names of queue and job and
   * the error. It is not logged if this process listens for `dead` or `failed`, or waits for the job with `finished()`.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for a bad option, `E_CLOSED` when the service is disconnected.
   * @example
   * const worker = queue.process(
   *   async (job, { signal, progress }) => {
   *     for (const [index, page] of job.data.pages.entries()) {
   *       await render(page, { signal })
   *       progress(index / job.data.pages.length)
   *     }
   *   },
   *   { concurrency: 4, limits: { group: { concurrency: 1 } } },
   * )
   */
  process(handler: JobHandler<Data, Result>, options?: WorkerOptions): JobWorker
  /**
   * Adds a job at each slot of a schedule, by the server's clock, for as long as any worker of the queue runs in whatever process. Of
   * any number of workers one adds it; its id is `<id>:<slot>`, the slot in epoch milliseconds, so that a slot has one job.
   *
   * Given again with the same `id` it replaces what there was. With the same schedule the next slot stays as it is, so a program may say it at
   * every start and neither skips nor doubles one. Of slots that nobody was there to fire for over 10 seconds, the last fires, once, and then
   * it goes on from now. A repeat that has reached `endAt` or `limit` is remembered until `unrepeat`.
   *
   * Rejects with `E_INVALID_ARGUMENT` for what is no schedule, one that no date ever matches such as 30 February, an unknown zone, an
   * `id` of over 480 bytes, and for what `add` refuses; `options.id` is refused too.
   *
   * @returns When the next slot comes, in epoch milliseconds; `null` when none will.
   * @example
   * await queue.repeat('report', { cron: '30 2 * * *', timeZone: 'Europe/Berlin' }, 'report', { of: 'yesterday' })
   * await queue.repeat('sweep', { everyMs: 60_000 }, 'sweep')
   */
  repeat(
    id: string,
    schedule: RepeatSchedule,
    name: string,
    ...rest: DataAnd<Data, Omit<JobOptions, 'id'>>
  ): Promise<{ id: string; nextAt: number | null }>
  /** Forgets a repeat; `false` when there is none. Jobs that it has added stay. */
  unrepeat(id: string): Promise<boolean>
  /** The repeats by their next slots, 100 unless told; those that have none any more at the end. */
  repeats(options?: { offset?: number; limit?: number }): Promise<Repeat<Data>[]>
  /** A job as it is now, or `null`. */
  get(id: string): Promise<Job<Data, Result> | null>
  /**
   * Jobs of a state, 100 unless told: ready ones in the order in which they will be taken, delayed ones by when they are due,
   * finished ones newest first.
   */
  list(state: JobState, options?: { offset?: number; limit?: number }): Promise<Job<Data, Result>[]>
  /** Lines of the log of a job, oldest first, 100 unless told. */
  logs(id: string, options?: { offset?: number; limit?: number }): Promise<string[]>
  /** How many jobs are in each state. */
  counts(): Promise<JobCounts>
  /** Lets no worker take a job any more, in whatever process; what runs goes on. */
  pause(): Promise<void>
  /** Lets workers take jobs again. */
  resume(): Promise<void>
  /**
   * Removes a job in whatever state; `false` when there is none. The handler of an active one hears of it by its `signal`, within a third
   * of `leaseMs`.
   */
  remove(id: string): Promise<boolean>
  /**
   * Has a dead job start anew with all its attempts, or a delayed one at once; `false` when it is in another state, or one that
   * is the same waits or runs by now.
   */
  retry(id: string): Promise<boolean>
  /** Has dead jobs start anew, the oldest first and at most `limit` (all); returns how many. */
  redrive(options?: { limit?: number }): Promise<number>
  /** Removes all jobs that are ready, and with `delayed: true` those that wait for their time; returns how many. */
  drain(options?: { delayed?: boolean }): Promise<number>
  /**
   * Removes jobs of a state that finished, or were added where they have not, at least `olderThanMs` milliseconds ago (0): the oldest
   * first and at most `limit` (all). Returns how many. Rejects with `E_INVALID_ARGUMENT` for active ones.
   */
  clean(state: Exclude<JobState, 'active'>, options?: { olderThanMs?: number; limit?: number }): Promise<number>
  /**
   * Calls `listener` for every such event, in the asynchronous context of this call. The first listener subscribes to the queue's
   * channel, the last to go ends that; meanwhile the process stays alive. Events tell quickly and may be lost, which `gap` tells. A
   * listener that throws harms nobody: its first failure is reported on the console. After `service.disconnect()` listeners hear nothing.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown event, `E_CLOSED` when the service is disconnected.
   * @example
   * queue.on('progress', ({ id, progress }) => bar(id).show(progress))
   */
  on<Event extends keyof JobQueueEvents>(
    event: Event,
    listener: (details: JobQueueEvents<Result>[Event]) => unknown,
  ): this
  /** The same, once. */
  once<Event extends keyof JobQueueEvents>(
    event: Event,
    listener: (details: JobQueueEvents<Result>[Event]) => unknown,
  ): this
  /** Takes a listener away. */
  off<Event extends keyof JobQueueEvents>(
    event: Event,
    listener: (details: JobQueueEvents<Result>[Event]) => unknown,
  ): this
  /** `on`, as `node:events` calls it too. */
  addListener: this['on']
  /** `off`, as `node:events` calls it too. */
  removeListener: this['off']
  /** Takes all listeners to an event away, or all there are. */
  removeAllListeners(event?: keyof JobQueueEvents): this
  /** How many listen to an event. */
  listenerCount(event: keyof JobQueueEvents): number
  /**
   * Closes the workers that were made by this queue, each as `worker.close()` does, takes its listeners away, and rejects what
   * waits for jobs with `E_CLOSED`. Everything else goes on working.
   */
  close(options?: { timeoutMs?: number }): Promise<ClosedWorkers>
  /** `close()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Thrown by a handler where no other attempt would help: the job is dead at once. `instanceof` also recognises those of another
 * copy of the package in the same process.
 *
 * @example
 * if (!user) throw new UnrecoverableError(`no user ${job.data.id}`)
 */
export class UnrecoverableError extends Error {
  constructor(message?: string, options?: { cause?: unknown })
  /** Always `'UnrecoverableError'`. */
  readonly name: 'UnrecoverableError'
}

// --------------------------------------------------------------------------------------------------- shutdown

/**
 * Drains at `SIGTERM` and `SIGINT`, or the signals given: takes no more calls, waits at most 5 s for those in flight, then
 * ends the process by the same signal, unless somebody else listens to it. A second signal ends it at once. Without this
 * call the package listens to no signal. Drains `service`, or every service of this JavaScript environment. Worker threads
 * get no signals.
 *
 * @returns What takes it back.
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` if `signals` is not an array of names of signals that a process can catch, or `service` is not a `RedisService`.
 * @example
 * shutdownOnSignal()
 */
export function shutdownOnSignal(signals?: readonly string[], service?: RedisService): () => void

// ----------------------------------------------------------------------------------------------------- health

/** Counts with their quotient. */
export interface HealthMetrics extends CacheStats {
  /** hits ÷ (hits + misses), from 0 to 1; 0 when nothing was asked yet. */
  hitRate: number
}

/** The same for a cache. Its `hitRate` includes stale hits: (hits + staleHits) ÷ (hits + staleHits + misses). */
export interface CacheHealthMetrics extends HealthMetrics, ApiCacheStats {}

/** Connections to a server, or to all of them. */
export interface HealthPool {
  /** How many stand. */
  size: number
  /** How many of them have nothing to do. */
  available: number
  /** How many calls wait to be sent. */
  pending: number
}

/** What a circuit breaker does with calls: `closed` lets them through, `open` refuses them, `half-open` tries one. */
export type BreakerState = 'closed' | 'half-open' | 'open'

/** The circuit breaker in front of the server. */
export interface HealthBreaker {
  /** What it does with calls. */
  state: BreakerState
  /** Calls within its window of time. */
  calls: number
  /** How many of them failed. */
  failed: number
  /** How many of them were slow. */
  slow: number
  /** In how many ms the next call is let through, while it is open; else `null`. */
  retryInMs: number | null
}

/** One server. */
export interface HealthServer {
  /** Its host, or the path of its socket. */
  host: string
  /** Its port; `null` for a socket. */
  port: number | null
  /** What it is to the others. */
  role: 'primary' | 'replica' | 'unknown'
  /**
   * Whether it takes part. Of a replica its primary says so, and of a server of a cluster the cluster; while nobody
   * answers, it is whether this process has a connection to it.
   */
  connected: boolean
  /** How many replicas follow it; `null` when it is no primary or nobody told. */
  replicas: number | null
  /** The breaker of this process in front of it; `null` for one that this process does not call. */
  breaker: BreakerState | null
  /** The connections of this process to it; `null` for one that this process does not call. */
  pool: HealthPool | null
}

/** The last thing that went wrong with the server or the way to it. Never holds a password. */
export interface HealthProblem {
  /** What it was, to branch on. */
  code: ErrorCode
  /** The same in words. */
  message: string
  /** When, as an ISO 8601 time. */
  at: string
}

/**
 * With what an alert begins; a colon follows, and words for a person.
 *
 * | code | what is wrong | status |
 * |---|---|---|
 * | `unavailable` | there is no connection to the server | down |
 * | `timeout` | the server did not answer within `timeoutMs` | down |
 * | `auth` | the server refused the user name, the password or the permission | down |
 * | `loading` | the server still reads its data, after a restart | down |
 * | `busy` | a script has been running in the server for too long | down |
 * | `queue` | too much is waiting for the server in this process | down |
 * | `cluster` | the cluster refuses calls: some of its slots have no server | down |
 * | `closed` | the service was disconnected by its owner | down |
 * | `settings` | the service, its settings, the environment or the options of the check cannot be meant | down |
 * | `error` | the server answered a PING by another error | down |
 * | `breaker` | the circuit breaker refuses calls (down), or tries one at a time (degraded, or down when it refused the PING) | |
 * | `replication` | a replica has lost its primary: it answers (degraded), or refuses to (down) | |
 * | `slow` | a PING took longer than `slowMs`, twice | degraded |
 * | `memory` | more than 90 % of `maxmemory` is used | degraded |
 * | `evictions` | keys were evicted since the last check of this service | degraded |
 * | `connections` | the server refused connections since the last check of this service | degraded |
 * | `channels` | the user may not publish or subscribe: queues are polled once a second, and events arrive late or not at all | degraded |
 * | `write` | a test key could not be written and read: no memory, no permission, a read-only server | degraded |
 * | `server` | one of several servers is away, or its breaker is open | degraded |
 * | `replicas` | a replica is away, or fewer follow than this service has seen | degraded |
 * | `info` | the server answers, but not to INFO; a user without the permission to ask raises nothing | degraded |
 */
export type HealthAlertCode =
  | 'unavailable'
  | 'timeout'
  | 'auth'
  | 'loading'
  | 'busy'
  | 'queue'
  | 'cluster'
  | 'closed'
  | 'settings'
  | 'error'
  | 'breaker'
  | 'replication'
  | 'slow'
  | 'memory'
  | 'evictions'
  | 'connections'
  | 'channels'
  | 'write'
  | 'server'
  | 'replicas'
  | 'info'

/** What `healthCheck()` returns. */
export interface Health {
  /**
   * `down` when calls cannot be answered: the server does not answer, the breaker is open, the cluster refuses calls.
   * `degraded` when they are answered and there are alerts.
   */
  status: 'healthy' | 'degraded' | 'down'
  /** What the server says about itself; `null` where it does not, or where its user may not ask. */
  redis: {
    /** Whether it answered. */
    connected: boolean
    /** What answers. */
    engine: 'redis' | 'memory' | null
    /** How the servers belong together; `memory` for the embedded engine. */
    topology: 'memory' | 'single' | 'sentinel' | 'cluster' | null
    /** Its version. */
    version: string | null
    /** Memory in use, in bytes. */
    usedMemory: number | null
    /** Its limit of memory in bytes; 0 without one. */
    maxMemory: number | null
    /** `usedMemory` ÷ `maxMemory`; `null` without a limit. */
    memoryUsage: number | null
    /** Connected clients, those of other processes included. */
    clients: number | null
    /** Keys evicted since it was started. */
    evictedKeys: number | null
    /** Connections refused since it was started. */
    rejectedConnections: number | null
    /** How long it has been running, in seconds. */
    uptimeSeconds: number | null
  }
  /** Each server, with its replicas; `[]` for the embedded engine. */
  servers: HealthServer[]
  /** Sessions of this service. */
  sessionCache: {
    /** Validations by `service.sessions`. */
    metrics: HealthMetrics
    /** Connections of this process, to all servers; none for the embedded engine. */
    pool: HealthPool
  }
  /** Reads of `service.cache`. */
  cache: { metrics: CacheHealthMetrics }
  /** Whether limits are counted by the store: whether it takes writes. */
  rateLimiter: { available: boolean }
  /** Whether calls are let through to the server. */
  breaker: HealthBreaker
  /** How long single commands took, in ms, to three digits after the point; `null` when they failed. */
  performance: { ping: number | null; set: number | null; get: number | null }
  /** What went wrong last, even if all is well again; `null` when nothing has. */
  lastError: HealthProblem | null
  /** How often a connection was made after one had been lost. */
  reconnects: number
  /** What is wrong now: sentences such as `memory: 93 % of maxmemory is used`. Each begins with a {@link HealthAlertCode}. */
  alerts: string[]
  /** When this was asked, as an ISO 8601 time. */
  timestamp: string
}

/** How to check. */
export interface HealthOptions {
  /** How long the check may take, in ms. Default `2000`. */
  timeoutMs?: number
  /** A PING that takes longer than this, in ms, is an alert. Default `100`. */
  slowMs?: number
}

/**
 * How the default service, or the one given, is doing. Never rejects, and answers within `timeoutMs` even when the server
 * hangs. A wrong option or a wrong service is an alert, too.
 *
 * It sends one to three PINGs and one INFO, and it writes and reads a key `cinnabar:health:…` that lives for 10 s; to a
 * cluster, it sends CLUSTER INFO and CLUSTER NODES, too. When a PING is not answered, it sends nothing else, but in a
 * cluster it asks for keys of eight other slots: one server that hangs is not the cluster. The breaker does not count what
 * a check meets, and lets it through only where it lets other calls through. A user of an ACL needs `~cinnabar:health:*`
 * and the permission for PING, SET and GET; without that for INFO, what it tells is `null`.
 *
 * @example
 * const { status, alerts } = await healthCheck()
 * if (status !== 'healthy') console.warn(status, alerts)
 */
export function healthCheck(service?: RedisService, options?: HealthOptions): Promise<Health>

/** How to answer requests for the health of a service. */
export interface HealthHandlerOptions extends HealthOptions {
  /** Whose health. Default: the default service. */
  service?: RedisService
  /**
   * How long a report may be served again, in ms, so that the server is asked no more than about once a second whoever
   * asks this process. `0` asks for each request that comes while no check runs. Default `1000`.
   */
  maxAgeMs?: number
  /**
   * `false` returns only `{ "status": … }`, for an address that any client can request. The whole report names hosts and what went
   * wrong, though never a password. Default `true`.
   */
  detail?: boolean
}

/** A request handler of the fetch kind: Next.js, Deno, Bun, Hono. */
export interface HealthHandler {
  /** Responds as to `GET`. */
  (): Promise<Response>
  /** The same for Hono, which passes a context: `app.get('/health', healthHandler())`. */
  (context: { readonly req: { readonly method: string } }): Promise<Response>
  /** Responds to `GET` and `HEAD`, and to any other method with 405. Never rejects. */
  (request: Request): Promise<Response>
  /** The same for `node:http`, and so for Express and its kind. */
  node(
    request: { readonly method?: string | undefined },
    response: { writeHead(status: number, headers: Record<string, string>): unknown; end(body?: string): unknown },
  ): Promise<void>
}

/**
 * A handler for `/health` or `/api/health/redis`: the report of `healthCheck` as JSON, never to be stored (`Cache-Control:
 * no-store`), with status 200 when healthy or degraded and 503 when down. Requests that come while a check runs share it,
 * and so do handlers of the same service with the same `timeoutMs` and `slowMs`. Making one connects to nothing.
 *
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for a bad option.
 *
 * @example
 * // app/api/health/redis/route.ts of Next.js
 * export const dynamic = 'force-dynamic'
 * export const GET = healthHandler()
 *
 * @example
 * // Deno and Bun
 * Deno.serve(healthHandler({ detail: false }))
 * Bun.serve({ routes: { '/health': healthHandler() } })
 *
 * @example
 * // node:http and Express
 * const health = healthHandler()
 * createServer((request, response) => health.node(request, response))
 * app.get('/health', health.node)
 */
export function healthHandler(options?: HealthHandlerOptions): HealthHandler
