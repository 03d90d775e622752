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

/** How to disconnect. */
export interface DisconnectOptions {
  /** How long calls in flight may still take, in milliseconds from 0 to 2^31. Default `5000`. */
  drainMs?: number
}

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
  publish<T, Channel extends string = string>(
    channel: Channel,
    value: ChannelInput<Channel, T> | Uint8Array,
    options?: PublishOptions,
  ): Promise<number>
  /**
   * Calls `handler` for every message on a channel, in the asynchronous context of this call.
   * A handler that throws ends neither the process nor the subscription: its first failure is reported on the console.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option, `E_UNAVAILABLE` or `E_TIMEOUT` when the server
   * does not confirm in time.
   */
  subscribe<T = unknown, Channel extends string = string>(
    channel: Channel,
    handler: MessageHandler<ChannelValue<Channel, T>>,
    options?: SubscribeOptions,
  ): Promise<Subscription>
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
  subscribe<T = unknown, Channel extends string = string>(
    channel: Channel,
    options?: StreamOptions,
  ): Promise<MessageStream<ChannelValue<Channel, T>>>
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
  queue<Data = unknown, Result = ResultByName>(
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
