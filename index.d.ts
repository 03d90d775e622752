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
 * | `E_MAYBE_APPLIED` | a write was sent, and no answer came before the connection or its time was lost: it may or may not have been applied | no |
 * | `E_ABORTED` | your `AbortSignal` ended it | no |
 * | `E_CLOSED` | the service was disconnected by its owner | no |
 * | `E_AUTH` | the server refused the user name or password, or the permission | no |
 * | `E_WRONG_TYPE` | the key holds another type of value | no |
 * | `E_OUT_OF_MEMORY` | the server has no memory left for this write | yes |
 * | `E_SERVER` | the server answered with another error | no |
 * | `E_INVALID_DATA` | a stored value is not what this library writes | no |
 * | `E_LOCK_HELD` | somebody else holds the lock | yes |
 * | `E_LOCK_LOST` | the lock was lost while its operation ran: what the signal of `withLock` aborts with | no |
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
  /** Whether the same call may succeed later with nothing changed by the caller. */
  readonly retryable: boolean
  /** Which operation failed, in capitals: `'GET'`, `'CREATE SESSION'`. Not there where no call was made, as for bad options. */
  readonly command?: string
  /**
   * The key it was about, its first 64 characters. Not there where keys hold what is secret or names a person: sessions,
   * tokens, rate limits.
   */
  readonly key?: string
  /** What caused it, where something did. */
  readonly cause?: unknown
}

/** What may be stored under a raw key or in a field. Numbers are written in decimal. */
export type Storable = string | number | Uint8Array

/** A raw key. */
export type Key = string | Uint8Array

/** What `JSON.stringify` can write; the features keep values in this form. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined }

/**
 * `T` if it is an object of fields, which JSON keeps whole; `never` for an array, a function, `Map`, `Set`, `Date`, bytes and their like, of
 * which it would keep nothing.
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

/** Settings of a service. What is given here wins over the environment. */
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
   * | `memory:`, `memory:name` | the embedded engine; a name is one store of the process, whatever the other options |
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
   * Number of the database, 0 to 255; wins over the path of the URL. Default `0`, the only one that a cluster has. Messages, events of
   * queues and rooms stay within it too.
   */
  db?: number
  /** Who the client is to the sentinels, which know nothing of the users of their servers. Only with a sentinel URL. */
  sentinel?: SentinelOptions
  /**
   * Most connections to a server, 1 to 1000. Default `10`. Environment: `REDIS_POOL_SIZE`. Calls go over one, unless what is under way
   * there, such as large values, holds them up for over 20 ms: then they go over another one. However many there are, calls on the
   * same key, room, queue or channel are done and answered in the order in which they were made. `1` orders all others too.
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
   * Memory that the embedded engine may use, in bytes, at least 1 MB. When it is full, the least recently used goes of what has a
   * time to live; with nothing of that left, writes end in `E_OUT_OF_MEMORY`. Of several services with one store, the first to use
   * it decides. Default 256 MB.
   */
  maxBytes?: number
  /**
   * What an operation does when the server cannot be reached: reject with `E_UNAVAILABLE`, or answer its empty value
   * (`null`, `false`, `0`, `[]`, `{}`) with one warning per operation name. Default: `'empty'` when
   * `NODE_ENV=development`, else `'throw'`.
   */
  onUnavailable?: 'throw' | 'empty'
  /**
   * Whether errors name the line of the caller, in this thread and from this service on. Costs some microseconds a call. Default:
   * `true` with `NODE_ENV=development` or `CINNABAR_STACKS=1`. `error.command` and `error.key` are always there.
   */
  stacks?: boolean
  /**
   * Hears of each change of the server's state, once: a connection lost and made again, a breaker opened and closed.
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

/** How a connection is encrypted. Certificates and keys are PEM text, as `readFileSync` answers it, not paths. */
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
   * SHA-256 fingerprint of the only certificate that is accepted, whoever signed it, whatever its names and its dates; several
   * while it is being replaced. 64 hexadecimal digits with or without colons, as
   * `openssl x509 -noout -fingerprint -sha256` shows it.
   */
  fingerprint?: string | string[]
  /**
   * `false` accepts any certificate of anybody, with a warning: who is on the way can read and change everything. `ca` or
   * `fingerprint` is what is wanted nearly always. Default `true`.
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
   * `lost` a connection ended, `down` the server cannot be reached (told once), `connected` it can again;
   * `breaker-open` calls are refused at once, `breaker-half-open` one is let through to see, `breaker-closed` all are again;
   * `failover` another server is the primary now, `topology-changed` a cluster's slots or servers have changed;
   * `evicts` the server drops keys when it is full, jobs that wait among them (told once, where a queue is worked on);
   * `muted` the user may not publish or subscribe: queues are looked at once a second, and nobody hears of anything at once;
   * `lock-lost` a lock was lost while the operation of `withLock` ran.
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
 * What `.with()` binds calls to.
 *
 * @example
 * await redisService.with({ timeoutMs: 200 }).get('key')
 * await ApiCache.with({ signal: request.signal }).getOrSet('key', load)
 */
export interface CallLimits {
  /**
   * How long each call may wait for the store, time in the queue included, in milliseconds from 1 to 2^31; in place of the
   * service's `timeoutMs`. A `load` may take that long as well, its own caller's and one that is shared: whoever waits longer gets
   * `E_TIMEOUT`, and the load goes on. What `operation` takes does not count. A call that is late rejects with `E_NOT_SENT`,
   * `E_TIMEOUT` or `E_MAYBE_APPLIED`.
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

/** How `SET` writes. `EX`, `PX` and `KEEPTTL` exclude each other, and so do `NX` and `XX`. */
export interface SetOptions {
  /** Life in seconds, at least 1. */
  EX?: number
  /** Life in milliseconds, at least 1. */
  PX?: number
  /** Only if the key does not exist. */
  NX?: boolean
  /** Only if the key exists. */
  XX?: boolean
  /** `EX`, `PX` or `KEEPTTL` as node-redis 5 has them. `KEEPTTL` is the raw client's. */
  expiration?: { type: 'EX' | 'PX'; value: number } | { type: 'KEEPTTL' } | 'KEEPTTL'
  /** `NX` or `XX` as node-redis 5 has them. */
  condition?: 'NX' | 'XX'
}

/** What `service.healthCheck()` answers. */
export interface ServiceHealth {
  /** Whether a PING was answered. */
  status: 'connected' | 'disconnected'
  /** How long the PING took, such as `'2ms'`; `'0ms'` when disconnected. */
  latency: string
  /**
   * Where the server is; of a cluster the first node that is connected, with sentinels the primary. `null` for the embedded engine.
   */
  host: string | null
  /** Its port; `null` for the embedded engine. */
  port: number | null
}

/**
 * One server, cluster or embedded store, and all that works on it. Making one connects to nothing; its first call does.
 * Services with equal settings share their connections within the process.
 *
 * Calls on the same key, room, queue or channel are done in the order in which they were made, and their promises settle in that
 * order, over any number of connections. What ended in `E_MAYBE_APPLIED` or `E_TIMEOUT` may still be done later, and what a
 * deadline or a signal ends is settled then.
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
  /** Connects now instead of at the first call. May be called twice. Rejects with `E_UNAVAILABLE` or `E_AUTH`. */
  connect(): Promise<void>
  /**
   * Takes no more calls: those reject with `E_CLOSED` until `connect()`. Waits for the calls in flight, at most `drainMs`
   * (5 s); what has no answer by then rejects, with `E_MAYBE_APPLIED` if it may have changed something, else `E_CLOSED`. Then
   * lets go of the connections. Rejects for nothing but a bad option; may be called twice, also at the same time.
   */
  disconnect(options?: DisconnectOptions): Promise<void>
  /** Whether there is a connection right now; of a cluster, to any of its nodes. */
  get isConnected(): boolean
  /** The string under `key`, or `null`. */
  get(key: Key): Promise<string | null>
  /** The bytes under a key, or `null`. */
  getBuffer(key: Key): Promise<Bytes | null>
  /** Stores a string; `null` when `NX` or `XX` kept it from that. Without `EX` or `PX` it lives until it is deleted. */
  set(key: Key, value: Storable, options?: SetOptions): Promise<'OK' | null>
  /** Deletes keys; answers how many there were; 0, without asking, for none. */
  del(...keys: Key[]): Promise<number>
  /** Counts which of the keys exist; one named twice counts twice. */
  exists(...keys: Key[]): Promise<number>
  /** Sets the remaining life in seconds; `false` when there is no such key. */
  expire(key: Key, seconds: number): Promise<boolean>
  /** Sets a field of a hash; answers 1 when it is new, else 0. */
  hSet(key: Key, field: Storable, value: Storable): Promise<number>
  /** Sets several fields; answers how many are new. */
  hSet(key: Key, fields: Readonly<Record<string, Storable>>): Promise<number>
  /** One field of a hash, or `null`. */
  hGet(key: Key, field: Storable): Promise<string | null>
  /** One field of a hash as its bytes, or `null`. */
  hGetBuffer(key: Key, field: Storable): Promise<Bytes | null>
  /** All fields of a hash, in an object without a prototype; an empty one when there is no such key. */
  hGetAll(key: Key): Promise<Record<string, string>>
  /** Deletes fields; answers how many there were. */
  hDel(key: Key, ...fields: Storable[]): Promise<number>
  /**
   * Sends a value, as JSON, to everyone subscribed to the channel; answers how many connections got it from this server. A
   * `Uint8Array` or `Buffer` is sent as the bytes that it has.
   *
   * Channels are a database's own here: in database 0 they are called as they are, in database 3 the server calls `news`
   * `cinnabar:db3:news`. What begins with `__` is the server's own and called as it is in every database; so is every channel of
   * `getClient()`.
   */
  publish(channel: string, value: unknown, options?: PublishOptions): Promise<number>
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
  /** The commands themselves. It is there at any time, and connects by its first call; `isReady` says whether it has. */
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
 * What a reply that nobody gave a shape looks like. A whole number that JavaScript's numbers do not hold, past 2^53, is the
 * string of its digits. An element that the server refused to answer is a `CinnabarError`.
 */
export type Reply = string | number | null | CinnabarError | Reply[]

/** The same with bytes for strings. */
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
 * The raw commands: name → arguments and answer. The client sends each at once; `multi()` collects the same ones.
 *
 * A stored string is answered as a string, and bytes that are no UTF-8 become U+FFFD in it: what may be bytes is read by the
 * methods that end in `Buffer`, or by `sendCommand(args, { buffers: true })`. A sum past 2^53 is `E_INVALID_DATA`, which says
 * that it was done: `sendCommand` answers such a number as a string.
 */
export interface Commands {
  /** Answers `'PONG'`. */
  ping(): Promise<string>
  /** What the server tells about itself, as text. */
  info(section?: string): Promise<string>
  /** How many keys there are. */
  dbSize(): Promise<number>
  /** Deletes every key of every database. */
  flushAll(): Promise<string>
  /** Deletes every key of this database. */
  flushDb(): Promise<string>
  /** Sends a message as it is; answers how many got it. */
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
  /** Counts which of the keys exist; 0, without asking, for none. */
  exists(...keys: (Key | Key[])[]): Promise<number>
  /** Deletes keys; answers how many there were. */
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
  /** Stores a string. With `GET`, answers the value that was there before. */
  set(key: Key, value: Storable, options: SetOptions & { GET: true; KEEPTTL?: boolean }): Promise<string | null>
  /** Stores a string; `null` when `NX` or `XX` kept it from that. `KEEPTTL` keeps the life that the key had. */
  set(key: Key, value: Storable, options?: SetOptions & { GET?: false; KEEPTTL?: boolean }): Promise<'OK' | null>
  /** Adds 1; answers the sum. */
  incr(key: Key): Promise<number>
  /** Adds a whole number; answers the sum. */
  incrBy(key: Key, increment: number): Promise<number>
  /** Takes 1 away; answers the difference. */
  decr(key: Key): Promise<number>
  /** Takes a whole number away; answers the difference. */
  decrBy(key: Key, decrement: number): Promise<number>
  /** Several values in the order of their keys; `[]`, without asking, for none. */
  mGet(...keys: (Key | Key[])[]): Promise<(string | null)[]>
  /** Stores several values: an object, an array of pairs, or key, value, key, value… */
  mSet(
    values: Readonly<Record<string, Storable>> | readonly (readonly [Key, Storable])[] | readonly Storable[],
  ): Promise<string>
  /** Stores several values given one after the other. */
  mSet(key: Key, value: Storable, ...more: Storable[]): Promise<string>

  /** Sets a field of a hash; answers 1 when it is new, else 0. */
  hSet(key: Key, field: Storable, value: Storable): Promise<number>
  /** Sets several fields; answers how many are new. */
  hSet(key: Key, fields: Readonly<Record<string, Storable>>): Promise<number>
  /** One field, or `null`. */
  hGet(key: Key, field: Storable): Promise<string | null>
  /** All fields, in an object without a prototype; an empty one when there is no such key. */
  hGetAll(key: Key): Promise<Record<string, string>>
  /** Deletes fields; answers how many there were. */
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
  /** Adds a whole number to a field; answers the sum. */
  hIncrBy(key: Key, field: Storable, increment: number): Promise<number>

  /** Puts elements before the first; answers the length. */
  lPush(key: Key, ...elements: (Storable | Storable[])[]): Promise<number>
  /** Puts elements after the last; answers the length. */
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

  /** Adds members; answers how many are new. */
  sAdd(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** Removes members; answers how many there were. */
  sRem(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** All members, in no order. */
  sMembers(key: Key): Promise<string[]>
  /** Whether it is a member. */
  sIsMember(key: Key, member: Storable): Promise<boolean>
  /** How many members there are. */
  sCard(key: Key): Promise<number>

  /** Adds members or moves them to a new score; answers how many are new. */
  zAdd(key: Key, members: ScoredMember | readonly ScoredMember[]): Promise<number>
  /** Members from `start` to `stop`: by rank or by `SCORE`; `REV` answers the highest first. */
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
  /** Removes members; answers how many there were. */
  zRem(key: Key, ...members: (Storable | Storable[])[]): Promise<number>
  /** How many members there are. */
  zCard(key: Key): Promise<number>
  /** Adds to a member's score; answers the sum. */
  zIncrBy(key: Key, increment: number, member: Storable): Promise<number>
}

/** Commands that answer in bytes: as those without `Buffer` at the end, with a `Buffer` for each string. Names of fields stay strings. */
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

/** How `sendCommand` answers. */
export interface SendOptions {
  /** Whether stored strings are `Buffer`s, with all their bytes. Default `false`. */
  buffers?: boolean
}

/**
 * The commands themselves, named as node-redis names them. Keys go out as they are: no prefix, no escaping.
 * An argument that cannot be meant is `E_INVALID_ARGUMENT` before anything is sent.
 */
export interface RawClient extends Commands, BufferCommands {
  /** Whether there is a connection right now; of a cluster, to any of its nodes. */
  readonly isReady: boolean
  /**
   * The same client with its commands, transactions included, bound to a deadline, a signal or both. Bound once more, the
   * shorter time and every signal count. Throws `E_INVALID_ARGUMENT` for a bad option.
   */
  with(limits: CallLimits): RawClient
  /** Collects commands to run as one transaction. */
  multi(): Multi
  /**
   * Any command, its name first, its reply as it comes. Commands that are known to answer once and at once share the
   * service's connections. Every other one has a connection of its own, which ends with it: those that wait at the server,
   * such as `BLPOP`, and those that are not known here, such as a module's. They are not in order with calls beside them.
   *
   * A wait for a time goes on for that time, within what `with({ timeoutMs })` allows. A wait for ever, `0`, is as long as the call may take: it is
   * `E_TIMEOUT` then, and has taken nothing.
   *
   * In a cluster `SCRIPT LOAD`, `SCRIPT FLUSH`, `FUNCTION LOAD`, `DELETE`, `FLUSH` and `RESTORE`, `FLUSHALL`, `FLUSHDB`, `DBSIZE`, `KEYS` and
   * `SCRIPT EXISTS` go to every primary; any other command without a key goes to one of them.
   *
   * @throws {CinnabarError} `E_UNSUPPORTED` for what makes no sense over a shared connection (`SUBSCRIBE`, `MONITOR`, `MULTI`,
   * `WATCH`, `SELECT`, `AUTH`, `CLIENT REPLY`, `WAIT` …), which says what to do instead; and for what the embedded engine does not have.
   */
  sendCommand<T = Reply>(args: readonly Storable[], options?: SendOptions & { buffers?: false }): Promise<T>
  /** The same with a `Buffer` for each string of the reply. */
  sendCommand<T = BufferReply>(args: readonly Storable[], options: SendOptions): Promise<T>
  /**
   * Pages of keys, as `scan` finds them, until all have been looked at. A key may come twice.
   *
   * @example
   * for await (const keys of client.scanIterator({ MATCH: 'user:*', COUNT: 100 })) await client.unlink(keys)
   */
  scanIterator(options?: { MATCH?: string; COUNT?: number }): AsyncGenerator<string[], void, undefined>
}

/**
 * Commands collected to run as one transaction, by `MULTI` and `EXEC`: nothing is sent before `exec()`, and no other client's
 * comes between. In a cluster all their keys share a slot, or it is `E_UNSUPPORTED`, and what has no key is done at that node.
 *
 * @example
 * const results = await client.multi().incr('hits').expire('hits', 60).exec()
 * const hits = results[0][1]
 */
export type Multi = {
  /** Adds this command. */
  [Name in keyof (Commands & BufferCommands)]: (...args: AnyParameters<(Commands & BufferCommands)[Name]>) => Multi
} & {
  /** Adds any command: its name, then its arguments. What `sendCommand` of the client refuses is refused here; nothing waits. */
  sendCommand(args: readonly Storable[], options?: SendOptions): Multi
  /**
   * Runs what was collected; answers `[error, value]` for each command in order, `error` being `null` where there is none: one
   * that fails undoes no other. Rejects with `E_INVALID_ARGUMENT`, with nothing sent, when an argument was bad or it has run
   * before, and with the server's error, with nothing done, when the server does not know a command or its arguments.
   */
  exec<T = any>(): Promise<[error: CinnabarError | null, value: T][]>
}

/** The arguments of a function of up to two overloads. */
type AnyParameters<F> = F extends { (...args: infer A): any; (...args: infer B): any } ? A | B : never

// --------------------------------------------------------------------------------------------------- sessions

/** Options of a `SessionManager`. */
export interface SessionManagerOptions {
  /** What the keys begin with. Default `'session:'`. */
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
 * What the sessions of this application hold beside `SessionFields`, for managers that are given no type of their own, the static forms
 * among them. Empty until you say it:
 *
 * @example
 * declare module 'cinnabar' {
 *   interface SessionData {
 *     role: 'admin' | 'guest'
 *   }
 * }
 */
export interface SessionData {}

/** `SessionData`, or fields of which nothing is known while it is empty. */
export type KnownSessionData = keyof SessionData extends never ? Record<string, unknown> : SessionData

/** A session as `getSession` answers it. */
export type Session<Data extends object = KnownSessionData> = SessionFields & Data

/** The data of a new session, which may be left out where no field is needed, and then options. */
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

/** A request as `getSession`, `validateSession` and `invalidateToken` take it; the case of headers' names does not matter. */
export type SessionRequest =
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

/** A session of a user without its id, which is a key to it. */
export interface DescribedSession<Data extends object = KnownSessionData> {
  /** A name that may be shown and sent to browsers, for `destroySessionOf`: 32 hexadecimal digits. Nobody comes in by it. */
  publicId: string
  /** What the session holds. */
  session: Session<Data>
  /** The life it has left, in seconds. */
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
   * The user's id, by which `invalidateUser` signs them out: a string or a whole number. Default: whatever of `userId`, `id`,
   * `_id`, `sub` and `user.id` there is. A user without any is refused with `E_INVALID_ARGUMENT`.
   */
  userId?: (user: User) => string | number | bigint
}

/** Counts since the object was made. */
export interface CacheStats {
  /** Answers that were there. */
  hits: number
  /** Answers that were not. */
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
 * There are two kinds, and they never meet. What `createSession` and `storeSession` make lives here, and `getSession` reads it, by its
 * id or from the request that carries the id. `validateSession` is for sessions that a database owns: it knows tokens by their
 * hashes, asks `load` whose they are, and keeps the answer for some minutes; `getSession` and `listSessions` do not see that.
 * `invalidateUser` ends both.
 *
 * Who was signed out stays so: in every process, whatever was being written or loaded meanwhile, and on a server that
 * evicts keys. A session whose user or tag the server has lost counts as signed out.
 *
 * An id or a token comes from strangers: what cannot be one is not found. `E_INVALID_ARGUMENT` is for what is no string, and for an id
 * that you choose yourself.
 *
 * Without a server every method rejects, `validateSession` excepted: a session must not seem gone because its server is.
 * Only a service that was told so (`onUnavailable: 'empty'`) answers empty values.
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
   * Stores `{ userId, createdAt, ...data }` for 24 h; answers the new id. A number as `userId` must be whole and is kept as text.
   * A `userId` or `createdAt` in `data` does not count.
   * Rejects with `E_CONFLICT` when there is a session with the id that you chose.
   */
  createSession(userId: string | number, ...rest: NewSession<Data>): Promise<string>
  /** The session, or `null` when there is none. */
  getSession(id: string): Promise<Session<Data> | null>
  /**
   * The session whose id a request carries: `Authorization: Bearer …`, else the first cookie of that name that is not empty.
   *
   * @example
   * const session = await SessionManager.getSession(request, { cookie: 'sid' })
   */
  getSession(request: SessionRequest, options?: TokenOptions): Promise<Session<Data> | null>
  /**
   * Merges `changes` into the session, field by field, and renews its life to what it was given, by `createSession` or
   * `storeSession`, whatever this manager's own `ttl`. Concurrent updates of different fields all survive; what is not changed keeps
   * its bytes. `false` when the session is gone: nothing brings it back.
   *
   * A `userId` in `changes` makes it that user's session, so never pass what came from outside as it is. `createdAt` does not change.
   * Rejects with `E_CONFLICT` when other writers never let it through.
   */
  updateSession(id: string, changes: Partial<Data & Pick<SessionFields, 'userId'>>): Promise<boolean>
  /** Removes the session; answers the number of keys removed, 0 or 1. */
  destroySession(id: string): Promise<number>
  /** Sets the remaining life; `false` when the session is gone. */
  extendSession(id: string, seconds?: number): Promise<boolean>
  /** Renews the life to what the session was given; `false` when it is gone. */
  touch(id: string): Promise<boolean>
  /**
   * Stores any object under an id of your own, in place of what was there, for 3600 s unless told. It is the session of
   * the user whom its `userId` names, and nobody's without one.
   */
  storeSession(id: string, data: Data & Partial<SessionFields>, ttl?: number): Promise<void>
  /** Destroys every session created with this tag; answers how many. */
  destroyByTag(tag: string): Promise<number>
  /** Destroys every session of a user, validated ones included; answers how many. */
  invalidateUser(userId: string | number): Promise<number>
  /**
   * The ids of a user's sessions. Whoever has an id has the session: show users what `describeSessions` answers.
   * Where the server has evicted the list, a session is in it again once it is renewed; `invalidateUser` needs no list.
   */
  listSessions(userId: string | number): Promise<string[]>
  /**
   * A user's sessions as they may be shown to this user, each with a public id. `current` is the id of the session that asks.
   *
   * @example
   * const devices = await SessionManager.describeSessions('user123', { current: id })
   * await SessionManager.destroySessionOf('user123', devices[0].publicId)
   */
  describeSessions(userId: string | number, options?: { current?: string }): Promise<DescribedSession<Data>[]>
  /** Removes the session of this user that has this public id; answers the number of keys removed, 0 or 1. */
  destroySessionOf(userId: string | number, publicId: string): Promise<number>
  /**
   * Drops what `validateSession` keeps of one token, as when its session is deleted where the truth is, and keeps loads for it that
   * are under way, in whichever process, from being kept; answers the number of keys removed, 0 or 1.
   */
  invalidateToken(request: TokenSource, options?: TokenOptions): Promise<number>
  /**
   * The user behind a token, or `null`: from the store, else from `load`, whose answer is then kept for `ttl` seconds.
   * When the server cannot be reached it answers by `load` alone, which `stats().fallbacks` counts. Calls that come while one token is being loaded share that
   * load, and so its very object: do not change it.
   */
  validateSession<User>(request: TokenSource, options: ValidateOptions<User>): Promise<User | null>
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
   * Without a service it is on the default one, which the environment describes when the first call is made.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option, or when `service` is none.
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
 * What a value is once it has been JSON: a `Date` is its text, whatever has a `toJSON` is what that answers, and fields that
 * JSON does not know (functions, symbols, `undefined`) are not there. What cannot be kept at all (`Map`, `Set`, `RegExp`,
 * `Error`, `Promise`, bytes, `bigint`) is `never`.
 *
 * @example
 * type Stored = Jsonify<{ id: number; at: Date }> // { id: number; at: string }
 */
export type Jsonify<T> = 0 extends 1 & T
  ? T
  : unknown extends T
    ? unknown
    : T extends string | number | boolean | null
      ? T
      : T extends { toJSON(...args: never[]): infer Json }
        ? T extends ArrayBuffer | ArrayBufferView
          ? never
          : Jsonify<Json>
        : T extends bigint | Unkept
          ? never
          : T extends undefined | symbol | ((...args: never[]) => unknown)
            ? undefined
            : T extends readonly unknown[]
              ? { [Index in keyof T]: Item<T[Index]> }
              : T extends object
                ? { [Name in keyof T as Kept<Name, T[Name]>]: Field<T[Name]> }
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
type NoJson = undefined | symbol | ((...args: never[]) => unknown)
/** In an array, what JSON does not know becomes `null`. */
type Item<T> = 0 extends 1 & T ? T : unknown extends T ? unknown : T extends NoJson ? null : Jsonify<T>
/** A field whose value JSON may not know is one that may be missing. */
type Field<T> = 0 extends 1 & T ? T : unknown extends T ? unknown : Jsonify<T>
type Kept<Name, T> = Name extends symbol ? never : 0 extends 1 & T ? Name : [T] extends [NoJson] ? never : Name

/** Options of an `ApiCache`. */
export interface ApiCacheOptions {
  /**
   * What the keys begin with. Default `'api:'`. No two caches of a service, the default one included, may have prefixes of which one
   * begins with the other: the value `b:c` of one would be the value `c` of the other. With `''`, keys are as they are named,
   * whoever else has them, and patterns are refused.
   */
  prefix?: string
  /** Life of a value in seconds when it is given none. Default `300`. */
  ttl?: number
  /**
   * How long a `load` may take, in milliseconds from 1 to 2^31. Then its caller gets `E_TIMEOUT`, its key is free for another load,
   * and those who have shared it begin one. What ends up to a minute later still fills the cache. Default: a caller waits 60,000
   * for its own load, and 5000 for that of somebody else. `.with({ timeoutMs })` bounds single calls.
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
   * Answers of `getOrSet` that were past their `ttl`, while a new value was loaded behind them (`staleWhileRevalidate`). They count
   * neither among `hits` nor among `misses`.
   */
  staleHits: number
}

/** How a value is kept. Without tags and `staleWhileRevalidate` it is plain JSON that any client can read. */
export interface CacheSetOptions {
  /** How long the value is fresh, in seconds. Default: the cache's. */
  ttl?: number
  /** Names to invalidate values by, 128 at most. Any text is one. */
  tags?: readonly string[]
  /**
   * How long after `ttl`, in seconds, `getOrSet` may still answer the old value while it loads a new one. When that load fails,
   * this process leaves the key alone for a second, and for twice as long after each further failure, up to a minute.
   */
  staleWhileRevalidate?: number
}

/** One value of `setMany`. */
export interface CacheEntry<T = unknown> extends CacheSetOptions {
  /** Its key. */
  key: string
  /** The value: anything that JSON can hold, see `ApiCache.set`. */
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
 * Answers kept for a while under `api:{key}`. Every method also exists as a static one, on the default service.
 *
 * Without a server, reads find nothing (see `onUnavailable`), and `set` and the invalidations reject: one that is lost must
 * not look as if it were done.
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
   * The key that names an endpoint with its parameters, in whatever order they come: `cache:{endpoint}:{hash}`.
   *
   * Two keys are equal exactly when the parameters are: by contents, for objects, arrays, `URLSearchParams`, `Headers`,
   * `FormData`, `URL`, `Map`, `Set`, `Date`, bytes, `bigint` and numbers (`-0` is not `0`). A field that is `undefined` is none.
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for what nobody can compare by looking at it: functions, symbols and instances of
   * classes without `toJSON`. Pass their fields: `{ ...it }`.
   */
  keyFor(endpoint: string, params?: object): string
  /** The value, or `null`. A cached `null` reads `null` as well; `getOrSet` can tell them apart. */
  get<T = unknown>(key: string): Promise<Jsonify<T> | null>
  /**
   * Stores a value: anything that JSON can hold, and what `JSON.stringify` makes of it. Wins over a load of the same key that is
   * still running, wherever it runs. Any text is a key.
   *
   * Rejects with `E_INVALID_ARGUMENT` for what would come back as something else: bytes, a `Map`, a `Set`, a `RegExp`, an `Error`,
   * a `Promise`, a `bigint`, and other objects that show none of what they hold.
   */
  set<T = unknown>(key: string, value: T, options?: CacheSetOptions): Promise<void>
  /** Drops a value, and the results of loads of it that still run anywhere; answers the number of values removed, 0 or 1. */
  invalidate(key: string): Promise<number>
  /** Makes every value with this tag a miss, and the results of loads that began before. Costs the same for one value and for a million. */
  invalidateByTag(tag: string): Promise<void>
  /**
   * Drops every value whose key matches a glob, and the results of loads of one that still run anywhere; answers how many values.
   * Walks all keys of the server, twice. `*` stands for any text, `?` for one character, `[a-z]` for one of several; `\\` before any of
   * them takes that meaning away. Letters in brackets that are no range, as in `/blog/[slug]`, are refused: write `/blog/\\[slug\\]`
   * for the text.
   */
  invalidateByPattern(pattern: string): Promise<number>
  /** Several values in the order of their keys, `null` for those that are missing. */
  getMany<T = unknown>(keys: readonly string[]): Promise<(Jsonify<T> | null)[]>
  /** Stores several values in one round. */
  setMany(entries: readonly CacheEntry[]): Promise<void>
  /**
   * The value, or what `load` answers, which is then kept. At most one load per key runs at a time in this process; callers that
   * come meanwhile share it. Every caller gets a copy of its own, and the same whether it was loaded or found: what JSON makes of it.
   *
   * - A rejection of `load` reaches everyone who waits for it, and nothing is kept.
   * - `undefined` is answered but not kept; `null` is kept. What cannot be kept (see `set`) rejects with `E_INVALID_ARGUMENT`.
   * - An invalidation or a `set` that comes while `load` runs wins, from whatever process it comes: the loaded value is answered
   *   but not kept, and whoever calls after it does not share that load.
   * - Callers that share a load may want different things of it: its value then has all their tags and the shortest life. Who comes with
   *   a tag that a running load does not know begins another one.
   * - A `load` that takes longer than `loadTimeoutMs` or the caller's own `timeoutMs` ends in `E_TIMEOUT`.
   * - A `load` that asks for its own key, however far below, cannot wait for itself: the `load` of that inner call runs too. One that
   *   does so again and again is `E_INVALID_ARGUMENT`.
   * - With `staleWhileRevalidate`, an old value is answered at once and the new one loaded behind it; a failure of that
   *   load only counts in `stats()`.
   * - When the server cannot be reached, or the service is disconnected meanwhile, `load` alone answers: still once for all who wait.
   *   `stats().errors` counts it.
   */
  getOrSet<T>(key: string, load: (key: string) => T | Promise<T>, options?: CacheSetOptions): Promise<Jsonify<T>>
  /** The same as `get`. */
  getCachedResponse<T = unknown>(name: string): Promise<Jsonify<T> | null>
  /** The same as `set`, with the life as a number of seconds, 300 unless told. */
  setCachedResponse<T = unknown>(name: string, value: T, ttlSeconds?: number): Promise<void>
  /** The same as `invalidate`. */
  invalidateCache(name: string): Promise<number>
  /** What is known about an image file, or `null`. Kept under the key `image:{file}`. */
  getImageInfo(file: string): Promise<ImageInfo | null>
  /** Keeps what is known about an image: read off its bytes, or as given (`timestamp` is added). Answers it. */
  setImageInfo(
    file: string,
    image: Uint8Array | ArrayBuffer | (Omit<ImageInfo, 'timestamp'> & { timestamp?: number }),
    options?: CacheSetOptions,
  ): Promise<ImageInfo>
  /** Forgets what is known about an image; answers the number of keys removed, 0 or 1. */
  invalidateImage(file: string): Promise<number>
  /** Counts since this cache was made. */
  stats(): ApiCacheStats
}

/** Makes a `ApiCache`; also has each of its methods, on the default service. */
export interface ApiCacheConstructor extends ApiCache {
  /**
   * Without a service it is on the default one, which the environment describes when the first call is made.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option, or when `service` is none. `E_INVALID_SETTINGS` for a
   * prefix that cannot be one, or that begins like another one.
   */
  new (service?: RedisService, options?: ApiCacheOptions): ApiCache
  readonly prototype: ApiCache
}

export const ApiCache: ApiCacheConstructor

// ----------------------------------------------------------------------------------------------------- limits

/** Options of a `RateLimiter`. */
export interface RateLimiterOptions {
  /** What the keys of `checkRateLimit` begin with. Default `'rate_limit:'`. */
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
   * In how many ms a request may be let pass again; 0 when this one was. The store says so, whose clock need not be this
   * process's: a wait is to be computed from this, never from `resetTime` and `Date.now()`.
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
 * @example
 * const result = await RateLimiter.checkRateLimit(ip, 100, 60)
 * if (!result.allowed) return new Response('Too many requests', { status: 429, headers: RateLimiter.headers(result) })
 */
export interface RateLimiter {
  /**
   * The same limiter with its calls bound to a deadline, a signal or both. A check that is late answers what `onUnavailable`
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
   * Forgets what was counted; answers the number of keys removed, 0 or 1. With `onUnavailable: 'local'`, what this process
   * counted is forgotten even when the server cannot be reached and this rejects.
   */
  resetRateLimit(identifier: string): Promise<number>
  /** Counts one request under exactly this key, with no prefix before it; answers whether it may go on. */
  checkLimit(key: string, limit: number, window: number): Promise<boolean>
  /** Counts one request against a ready-made limit (`DEFAULT`) or one of your own. */
  check(identifier: string, preset?: RateLimitPreset | RateLimit): Promise<RateLimitResult>
  /**
   * The key of an address on a route: `ratelimit:{ip}:{endpoint}`, behind the limiter's prefix if that is not the default one.
   * `check`, `checkRateLimit`, `checkLimit` and `resetRateLimit` take it as it is, so all of them mean the same counter.
   *
   * Any two texts make a key, and no two pairs the same one: braces, colons and `%` of the endpoint are encoded, what is longer than
   * 512 characters is hashed. An identifier of your own must not begin with `ratelimit:`.
   */
  keyForRoute(ip: string, endpoint: string): string
  /**
   * The response headers `X-RateLimit-Limit`, `X-RateLimit-Remaining`, `X-RateLimit-Reset` (seconds since 1970) and,
   * when refused, `Retry-After` (seconds, at least 1). The status to send with a refusal is 429.
   */
  headers(
    result: Omit<RateLimitResult, 'limit' | 'source'> & { limit?: number },
    limit?: number,
  ): Record<string, string>
}

/** Makes a `RateLimiter`; also has each of its methods, on the default service. */
export interface RateLimiterConstructor extends RateLimiter {
  /**
   * Without a service it is on the default one, which the environment describes when the first call is made.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option, or when `service` is none.
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
  /** What the keys begin with. Default `'lock:'`. */
  prefix?: string
}

/** What an operation under a lock gets beside its token. */
export interface LockContext {
  /** Aborts with `E_LOCK_LOST` once the lock is lost. */
  readonly signal: AbortSignal
}

/**
 * Locks between processes: a token under `lock:{resource}` that dies by itself. Every method also exists as a static
 * one, on the default service.
 *
 * Without a server nothing is granted: every method rejects. On a service with `onUnavailable: 'empty'`, `acquireLock`
 * answers `null`, the others `false`, and `withLock` does not run its operation.
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
   * Takes the lock for `ttlSeconds` (30); answers the token that releases it, or `null` when somebody else holds it. After
   * `E_MAYBE_APPLIED` or `E_ABORTED` it may have been taken with a token that nobody knows: this process gives it back as soon as
   * the store can be asked, and whatever happens it is free again when `ttlSeconds` are over.
   */
  acquireLock(resource: string, ttlSeconds?: number): Promise<string | null>
  /** Releases the lock if it is still held by this token; `false` when it is not. A server that restarted has forgotten it. */
  releaseLock(resource: string, token: string): Promise<boolean>
  /** Sets the remaining life of the lock to `ttlSeconds` (30) if it is still held by this token; `false` when it is not. */
  extendLock(resource: string, token: string, ttlSeconds?: number): Promise<boolean>
  /**
   * Runs `operation` while holding the lock, and answers what it answers. Rejects with `E_LOCK_HELD` when somebody
   * else holds it, and with the operation's own error when it fails. Always released: should that fail, the lock dies
   * after `ttlSeconds` (30). `operation` gets the token, to extend the lock with, and a `signal` that aborts once the lock is
   * lost: its time is over, by this process's clock from before it was asked for, or `extendLock` or `releaseLock` with its token
   * answered `false`. An operation that goes on is no longer alone; its answer is still what it answers, and a lost lock is
   * told to the log (`lock-lost`).
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
   * Without a service it is on the default one, which the environment describes when the first call is made.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option, or when `service` is none.
   */
  new (service?: RedisService, options?: DistributedLockOptions): DistributedLock
  readonly prototype: DistributedLock
}

export const DistributedLock: DistributedLockConstructor

// ------------------------------------------------------------------------------------------ rooms and messages

/** Options of a `RealtimeDataManager`. */
export interface RealtimeDataManagerOptions {
  /** What the keys begin with. Default `'room:'`. */
  prefix?: string
  /**
   * How long a process may be silent before those who joined through it count as gone, in milliseconds from 100 to 3600000.
   * Others notice within a third of it more. Default `10000`.
   */
  leaseMs?: number
}

/** A user in a room as `getRoomUsers` answers it. */
export type RoomUser<T extends object = Record<string, unknown>> = T & {
  /** When the user joined. */
  joinedAt: string
}

/** What stands in for a stored user that is no JSON. */
export interface InvalidRoomUser {
  /** Says so. */
  error: 'Invalid data'
}

/** A message as `getRecentMessages` answers it. */
export type RoomMessage<T extends object = Record<string, unknown>> = T & {
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
  /** Takes a user out of a room; answers how many were taken out, 0 or 1. */
  removeUserFromRoom(roomId: string, userId: string): Promise<number>
  /**
   * The users of a room by their id, in an object without a prototype; an empty one when nobody is in it. A
   * value that is no JSON reads `{ error: 'Invalid data' }`.
   */
  getRoomUsers<T extends object = Record<string, unknown>>(
    roomId: string,
  ): Promise<Record<string, RoomUser<T> | InvalidRoomUser>>
  /**
   * Adds a message, with `timestamp`. The last 100 are kept, for 24 h. A `seq` that could be the number of a message that was sent
   * is left out.
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
   * Adds a message as `storeMessage` does, with `seq` besides, and tells it to who listens; answers `seq`. At most 1 MiB as
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
   * Without a service it is on the default one, which the environment describes when the first call is made.
   *
   * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an unknown or bad option, or when `service` is none.
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
  /** Whether every message is a `Buffer` with its bytes, unparsed. Default `false`: only what is no text is one. */
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
  /** What was published; text that is no JSON as it is, and bytes that are no text as a `Buffer`. */
  value: T
  /** How many messages are missing between the one before and this one. */
  missed: number | 'unknown'
}

/** `publish` of the default service. */
export function publish(channel: string, value: unknown, options?: PublishOptions): Promise<number>

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
   * For how long a job belongs to a worker that is not heard of, in milliseconds from 100 to 3,600,000; workers are heard
   * of three times within it. When a process is gone, its jobs go on elsewhere after so long, each alone on a worker that runs
   * nothing beside it: one of them may have ended the process. A lease that is over only because the server's clock was set
   * forward is not taken over. Default `10000`.
   */
  leaseMs?: number
  /** Most bytes of the data of a job, or of its result, as JSON. Default `1048576`. */
  maxBytes?: number
  /** How often a worker may be gone while it runs a job before that is dead. Default `5`. */
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
  /** At most so many bytes of data and results together. */
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

/** A job for `addMany`. `data` is what JSON can write, and may be left out only where `Data` may be `undefined`. */
export type NewJob<Data = unknown> = JobOptions & {
  /** What kind of job it is, at most 512 bytes. */
  name: string
} & (undefined extends Data ? { data?: Data } : { data: Data })

/** The data of a job, which may be left out only where `Data` may be `undefined`, and then its options. */
export type DataAnd<Data, Options> = undefined extends Data
  ? [data?: Data, options?: Options]
  : [data: Data, options?: Options]

/** Where a job is: it waits for a worker, for its time, is with a worker, is done, or has failed for good. */
export type JobState = 'ready' | 'delayed' | 'active' | 'done' | 'dead'

/** What is kept of what a handler threw, of its message and stack at most 8192 characters each. */
export interface JobError {
  /** The class of the error; `'Error'` for what was none. */
  name: string
  /** What it says. */
  message: string
  /** Its `code`, where it had one: a string or a number. A job whose time was over has `'E_TIMEOUT'`. */
  code?: string | number
  /** Where it was thrown. */
  stack?: string
}

/** What can be done with a job wherever it comes from. */
export interface JobHandle<Result = unknown> {
  /** Its id. */
  readonly id: string
  /**
   * Waits until the job has finished, wherever it runs, and answers its result. Keeps the process alive meanwhile, and without a
   * server goes on waiting.
   *
   * Whoever waits before its end gets what came of it, whatever the queue keeps.
   *
   * Rejects with `E_JOB_FAILED` when it is dead, with `E_JOB_GONE` when it was removed or had finished before and was not kept,
   * with `E_TIMEOUT` after `timeoutMs` milliseconds (default: none), and with `E_CLOSED` when the queue or its service is closed.
   *
   * @example
   * const job = await queue.add('resize', { file })
   * const { width } = await job.finished({ timeoutMs: 60_000 })
   */
  finished(options?: { timeoutMs?: number }): Promise<Result>
}

/** A job that was added. */
export interface AddedJob<Data = unknown, Result = unknown> extends JobHandle<Result> {
  /** Whether it was. If not, there was one already, and `id` is that one's; `name` and `data` are what was given here. */
  readonly isNew: boolean
  /** What kind of job it is. */
  readonly name: string
  /** What it is about. */
  readonly data: Data
}

/** A job as its handler gets it. */
export interface ActiveJob<Data = unknown, Result = unknown> extends JobHandle<Result> {
  /** What kind of job it is. */
  readonly name: string
  /** What it is about. */
  readonly data: Data
  /** Always `'active'`. */
  readonly state: 'active'
  /** Which attempt this is, from 1. */
  readonly attempt: number
  /** How many there are. */
  readonly attempts: number
  /** How often a worker was gone while it ran. That costs no attempt. */
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
  /** What it is about. */
  readonly data: Data
  /** Where it is. */
  readonly state: JobState
  /** How many attempts have begun. */
  readonly attempt: number
  /** How many there are. */
  readonly attempts: number
  /** How often a worker was gone while it ran. */
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
  readonly result: Result | undefined
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
   * Says how far the job is: what JSON can write, at most 65,536 bytes. Sent at most every 50 ms; the last one counts.
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
 * Does one attempt at a job. What it answers, as JSON, is the job's result; what it throws ends the attempt, and the next one
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
   * given back to the queue, which costs it no attempt, and its `signal` aborts. Answers the ids of those jobs, and of
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
  completed: { id: string; attempt: number; result?: Result; partial?: true }
  /** An attempt failed, whatever follows. */
  failed: { id: string; attempt: number; error?: JobError }
  /** An attempt failed, and another one follows. */
  retrying: { id: string; attempt: number; delayMs: number; error?: JobError; partial?: true }
  /** The worker was gone that ran the job; it is ready again, and runs alone. */
  stalled: { id: string; crashes: number }
  /** A job failed for good; `attempt` is 0 where no attempt failed but every worker was gone. */
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
  /** What that job is about. */
  data: Data
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
   * rejects for want of a server, some may have been.
   */
  addMany(jobs: readonly NewJob<Data>[]): Promise<AddedJob<Data, Result>[]>
  /**
   * Runs jobs from now on, each by `handler`, in the asynchronous context of this call. See `JobHandler` for what becomes of
   * what it answers and throws.
   *
   * In development (`NODE_ENV=development`, and `bun --hot`) modules are evaluated again and again: what one began while it was
   * evaluated, workers, listeners and subscriptions, gives way to what it begins when it is evaluated again. In Next.js,
   * `register()` in `instrumentation.ts` is the place to start workers.
   *
   * A job that failed for good is one line on `console.error`, at most one a queue and minute, with the names of queue and job
   * and the error; not where somebody in this process listens to `dead` or `failed`, or waits for it by `finished()`.
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
  /** Has dead jobs start anew, the oldest first and at most `limit` (all); answers how many. */
  redrive(options?: { limit?: number }): Promise<number>
  /** Removes all jobs that are ready, and with `delayed: true` those that wait for their time; answers how many. */
  drain(options?: { delayed?: boolean }): Promise<number>
  /**
   * Removes jobs of a state that finished, or were added where they have not, at least `olderThanMs` milliseconds ago (0): the oldest
   * first and at most `limit` (all). Answers how many. Rejects with `E_INVALID_ARGUMENT` for active ones.
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
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` when `signals` is no array of names, or `service` is none.
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

/** The same of a cache, where `hitRate` counts `staleHits` as answered: (hits + staleHits) ÷ (hits + staleHits + misses). */
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
 * | `channels` | the user may not publish or subscribe: queues work once a second, and nobody hears of anything at once | degraded |
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

/** What `healthCheck()` answers. */
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
   * `false` answers nothing but `{ "status": … }`: for an address that anybody can ask. The whole report names hosts and
   * what went wrong, though never a password. Default `true`.
   */
  detail?: boolean
}

/** A request handler of the fetch kind: Next.js, Deno, Bun, Hono. */
export interface HealthHandler {
  /** Answers as to `GET`. */
  (): Promise<Response>
  /** The same for Hono, which hands over a context: `app.get('/health', healthHandler())`. */
  (context: { readonly req: { readonly method: string } }): Promise<Response>
  /** Answers `GET` and `HEAD`, and everything else by 405. Never rejects. */
  (request: Request): Promise<Response>
  /** The same for `node:http`, and so for Express and its kind. */
  node(
    request: { readonly method?: string },
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
