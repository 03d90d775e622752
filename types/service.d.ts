import type { ApiCache } from './cache.js'
import type { CallLimits } from './calls.js'
import type { RawClient } from './client.js'
import type { Bytes, Key, SetOptions, Storable } from './commands.js'
import type { RateLimiter } from './limit.js'
import type { DistributedLock } from './lock.js'
import type { ServiceOptions } from './options.js'
import type {
  ChannelInput,
  ChannelValue,
  MessageHandler,
  MessageStream,
  PublishOptions,
  StreamOptions,
  SubscribeOptions,
  Subscription,
} from './pubsub.js'
import type { ResultByName } from './jobs-by-name.js'
import type { JobQueue, JobQueueOptions } from './queue.js'
import type { RealtimeDataManager } from './room.js'
import type { SessionManager } from './session.js'

/** A change of a server's state. */
export interface ServiceEvent {
  /** When it happened, as an ISO 8601 time. */
  at: string
  /**
   * - `lost`: a connection ended
   * - `down`: the server cannot be reached (reported once); `connected`: it can be reached again
   * - `breaker-open`: calls reject at once; `breaker-half-open`: a probe decides; `breaker-closed`: calls are sent again
   * - `failover`: another server is the primary now; `topology-changed`: a cluster's slots or servers have changed
   * - `evicts`: the server may evict waiting jobs when it is full (reported once, when a worker starts)
   * - `muted`: the user may not publish or subscribe; queues are polled once a second, and events and messages of rooms arrive late or
   *   not at all
   * - `lock-lost`: a lock of `acquire` or `withLock` was lost before it was released
   * - `unreadable`: a stored session does not decrypt and counts as none (reported once)
   * - `limit-fallback`: a rate limiter cannot count at the server, so `onUnavailable` decides (reported once); `limit-restored`: it counts
   *   there again
   * - `limit-refused`: a rate limiter refuses an identifier, which the message names (reported once until its limit is reset, and ten times in ten seconds at most)
   * - `near-unavailable`: the server does not report changes of keys, so nothing is cached near (reported once until it does)
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
    | 'unreadable'
    | 'limit-fallback'
    | 'limit-restored'
    | 'limit-refused'
    | 'near-unavailable'
  /** The server: `host:port`, or `unix:` and the path of a socket. */
  target: string
  /** A description for people. Never contains a password. */
  message: string
}

/** Options of `disconnect`. */
export interface DisconnectOptions {
  /** How long calls in flight may still take, in milliseconds from 0 to 2^31. Default `5000`. */
  drainMs?: number
}

/** What `service.healthCheck()` returns. */
export interface ServiceHealth {
  /** Whether the server replied to a PING. */
  status: 'connected' | 'disconnected'
  /** How long the PING took, as text in milliseconds, such as `'2ms'`; `'0ms'` when disconnected. */
  latency: string
  /** The server's host; for a cluster, that of the first connected node; with sentinels, that of the primary. `null` for the embedded engine. */
  host: string | null
  /** The server's port; `null` for the embedded engine. */
  port: number | null
}

/**
 * A service: one server, cluster or embedded store, with the features that work on it. It connects at its first call. Services with
 * equal settings share their connections within the process.
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
   * @param options Override the environment, which overrides the defaults.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown option, `E_INVALID_SETTINGS` for an invalid value or environment variable.
   */
  constructor(options?: ServiceOptions)
  /**
   * Connects now instead of at the first call, or again after `disconnect()`. May be called twice. Rejects with `E_UNAVAILABLE` or
   * `E_AUTH`, and with `E_INVALID_SETTINGS` if since `disconnect()` another service uses a prefix that overlaps with one of its own.
   */
  connect(): Promise<void>
  /**
   * Drains and disconnects: new calls reject with `E_CLOSED` until `connect()`, and calls in flight get at most `drainMs` (5 s). Those
   * without a reply by then reject: with `E_MAYBE_APPLIED` if they may have changed something, otherwise with `E_CLOSED`. Then the
   * connections are closed, unless another service shares them. Rejects only for an invalid option. May be called twice, also at the
   * same time.
   */
  disconnect(options?: DisconnectOptions): Promise<void>
  /** Whether there is a connection now; for a cluster, to any of its nodes. */
  get isConnected(): boolean
  /** Returns the string under `key`, or `null`. */
  get(key: Key): Promise<string | null>
  /** Returns the bytes under `key`, or `null`. */
  getBuffer(key: Key): Promise<Bytes | null>
  /** Stores a string; returns `null` if `NX` or `XX` prevented it. Without `EX` or `PX` it has no ttl. */
  set(key: Key, value: Storable, options?: SetOptions): Promise<'OK' | null>
  /** Deletes keys; returns how many existed. Without keys it returns 0 and sends nothing. */
  del(...keys: Key[]): Promise<number>
  /** Returns how many of the keys exist; a key given twice counts twice. */
  exists(...keys: Key[]): Promise<number>
  /** Sets the remaining ttl, in seconds; returns `false` if the key does not exist. */
  expire(key: Key, seconds: number): Promise<boolean>
  /** Sets a field of a hash; returns 1 if the field is new, otherwise 0. */
  hSet(key: Key, field: Storable, value: Storable): Promise<number>
  /** Sets several fields of a hash; returns how many are new. */
  hSet(key: Key, fields: Readonly<Record<string, Storable>>): Promise<number>
  /** Returns a field of a hash, or `null`. */
  hGet(key: Key, field: Storable): Promise<string | null>
  /** Returns the bytes of a field of a hash, or `null`. */
  hGetBuffer(key: Key, field: Storable): Promise<Bytes | null>
  /** Returns all fields of a hash, as an object without a prototype, which is empty if the key does not exist. */
  hGetAll(key: Key): Promise<Record<string, string>>
  /** Deletes fields of a hash; returns how many existed. */
  hDel(key: Key, ...fields: Storable[]): Promise<number>
  /**
   * Publishes a value, as JSON, to all subscribers of a channel; returns how many connections received it from this server. A
   * `Uint8Array` or `Buffer` is sent as raw bytes. `Channels` declares the types of values.
   *
   * Channels are separate per database: in database 0 names are sent unchanged, in database 3 the channel `news` is called
   * `cinnabar:db3:news` on the server. Names that begin with `__` belong to the server and are unchanged in every database, as
   * are all channels used through `getClient()`.
   */
  publish<T, Channel extends string = string>(
    channel: Channel,
    value: ChannelInput<Channel, T> | Uint8Array,
    options?: PublishOptions,
  ): Promise<number>
  /**
   * Calls `handler` for each message on a channel, in the asynchronous context of this call. Exceptions of the handler are ignored,
   * except that the first one is reported on the console.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option, `E_UNAVAILABLE` or `E_TIMEOUT` if the server does not
   * confirm in time.
   */
  subscribe<T = unknown, Channel extends string = string>(
    channel: Channel,
    handler: MessageHandler<ChannelValue<Channel, T>>,
    options?: SubscribeOptions,
  ): Promise<Subscription>
  /**
   * Returns the messages as an async iterable. They wait outside the JavaScript heap, within `buffer`, until they are requested.
   *
   * @example
   * for await (const { value, missed } of await redisService.subscribe('prism:events')) {
   *   if (missed) await readAgain()
   *   await handle(value)
   * }
   */
  subscribe<T = unknown, Channel extends string = string>(
    channel: Channel,
    options?: StreamOptions,
  ): Promise<MessageStream<ChannelValue<Channel, T>>>
  /** Sends one PING, and waits for at most 2 s. Never rejects. */
  healthCheck(): Promise<ServiceHealth>
  /** Returns the raw client, never `null`. It connects at its first call; `isReady` says whether it is connected. */
  getClient(): RawClient
  /** The `ApiCache` on this service with its default options. */
  get cache(): ApiCache
  /** The `SessionManager` on this service with its default options. */
  get sessions(): SessionManager
  /** The `RateLimiter` on this service with its default options. */
  get limiter(): RateLimiter
  /** The `DistributedLock` on this service with its default options. */
  get locks(): DistributedLock
  /** The `RealtimeDataManager` on this service with its default options. */
  get rooms(): RealtimeDataManager
  /**
   * Returns a `JobQueue` on this service.
   *
   * @throws {CinnabarError} As `new JobQueue` does.
   */
  queue<Data = unknown, Result = ResultByName>(
    name: string,
    options?: Omit<JobQueueOptions, 'service'>,
  ): JobQueue<Data, Result>
  /**
   * Returns the same service with its calls bound to a deadline, a signal or both. Connections, statistics, loads, subscriptions and
   * `disconnect()` are shared. If bound again, the shorter time and every signal apply.
   *
   * @example
   * const quick = redisService.with({ timeoutMs: 200 })
   * await quick.get('key')
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or invalid option.
   */
  with(limits: CallLimits): RedisService
  /** Calls `disconnect()`, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

/** The default service, which the environment configures. Created at its first use, connected by its first call. */
export const redisService: RedisService
