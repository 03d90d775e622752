import type { ServiceEvent } from './service.js'

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
