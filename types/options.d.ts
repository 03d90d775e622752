import type { ServiceEvent } from './service.js'

/**
 * Options of a service. They override the environment.
 *
 * Like all options of this package, they may be an instance of a class, with fields or getters, or inherit defaults from another object.
 * A property of `Object.prototype` is never an option. An unknown option is rejected with `E_INVALID_ARGUMENT`, and so is an instance
 * that has none of the options, such as a `Map` or a promise.
 */
export interface ServiceOptions {
  /**
   * The URL of the server. Not together with `host` or `port`. Environment: `REDIS_URL`, otherwise `REDIS_PUBLIC_URL`.
   *
   * | form | means |
   * |---|---|
   * | `redis://user:password@host:6379/2` | one server; the path is the number of the database |
   * | `redis-cluster://user:password@a:7000,b:7000` | a cluster, given by some of its nodes |
   * | `redis-sentinel://user:password@a:26379,b:26379/mymaster/2` | the primary that the sentinels call `mymaster`, database 2; the name may be given as `?name=` instead, default `mymaster` |
   * | `rediss://`, `rediss-cluster://`, `rediss-sentinel://` | the same over TLS |
   * | `unix:/run/redis.sock` | a Unix socket |
   * | `memory:`, `memory:name` | the embedded engine; services in one process with the same name and `db` share one store, whatever their other options |
   *
   * In a user name or password, encode `%`, `@`, `:`, `/`, `?` and `#` as `encodeURIComponent` does.
   */
  url?: string
  /** Name or address of the server, if no URL is given. Default `localhost`. Environment: `REDIS_HOST`. */
  host?: string
  /** Port of the server, if no URL is given, from 1 to 65535. Default `6379`. Environment: `REDIS_PORT`. */
  port?: number
  /** ACL user; overrides the one in the URL. Environment, for a URL without one: `REDIS_USERNAME`. */
  username?: string
  /** Password; overrides the one in the URL. Environment, for a URL without one: `REDIS_PASSWORD`. */
  password?: string
  /**
   * Called for user and password each time that a connection is opened, so that they may change without a restart. It must return, or
   * its promise settle, within `connectTimeoutMs`. If it throws or returns something else, pending calls reject with `E_AUTH`. Not
   * together with `username`, `password` or a user in `url`; those of the environment are not used. The service shares its connections
   * with no other.
   */
  credentials?: () => Credentials | Promise<Credentials>
  /**
   * Whether and how to use TLS. Default: as the URL says, otherwise `false`. `false` together with `rediss://` is rejected.
   * Environment: `REDIS_TLS`.
   */
  tls?: boolean | TlsOptions
  /**
   * Number of the database, from 0 to 255; overrides the path of the URL. Default `0`, the only one that a cluster has. Messages, and
   * events of queues and rooms, are separate for each database too. On the embedded engine each database is a store of its own.
   */
  db?: number
  /** Credentials for the sentinels, which do not know the users of their servers. Only with a sentinel URL. */
  sentinel?: SentinelOptions
  /**
   * What moves requests and replies over the connections. Default `'native'`. Environment: `REDIS_DRIVER`. `'fred'` uses clients of the
   * Rust crate fred instead, with weaker promises: more lost writes reject with `E_MAYBE_APPLIED`, and commands whose reply may be an
   * array that fred takes for a message reject with `E_UNSUPPORTED`. See `crates/redis/README.md` of the repository. Messages use the
   * native driver with both.
   */
  driver?: 'native' | 'fred'
  /**
   * The maximum number of connections to a server, from 1 to 1000. Default `10`. Environment: `REDIS_POOL_SIZE`. Calls share one
   * connection unless calls in flight there, such as those with large values, delay them by more than 20 ms; then another connection is
   * used. Calls on the same key, room, queue or channel are executed and settle in the order in which they were made, over any number of
   * connections. With `1`, calls on different keys are ordered too.
   */
  poolSize?: number
  /** The timeout of each call, time in the queue included, in milliseconds. Default `5000`. Environment: `REDIS_TIMEOUT`, in seconds. */
  timeoutMs?: number
  /** The timeout of opening a connection, in milliseconds. Default `10000`. */
  connectTimeoutMs?: number
  /** How long a call waits for a connection before it rejects with `E_UNAVAILABLE`, in milliseconds, at most `timeoutMs`. Default `3000`. */
  connectWaitMs?: number
  /** How often an idempotent request is sent again after a lost connection, from 0 to 100. Default `3`. Environment: `REDIS_RETRY_ATTEMPTS`. */
  retryAttempts?: number
  /** The backoff between attempts to connect. */
  reconnect?: ReconnectOptions
  /** The maximum number of calls that wait for a server, from 1 to 10,000,000; further ones reject with `E_BACKPRESSURE`. Default `50000`. */
  maxQueuedCalls?: number
  /** The maximum size of the calls that wait for a server, in bytes, at least 1024; further ones reject with `E_BACKPRESSURE`. Default 64 MB. */
  maxQueuedBytes?: number
  /** How long a connection may be idle before it is checked by a PING, in milliseconds. Default `10000`. */
  keepAliveMs?: number
  /** The circuit breaker, which lets calls to a failing server fail at once instead of late. `false` turns it off. */
  breaker?: false | BreakerOptions
  /**
   * The memory limit of the embedded engine, in bytes, at least 1 MB. When it is reached, the least recently used keys with a ttl
   * are evicted; when none are left, writes reject with `E_OUT_OF_MEMORY`. If several services share a store, the first to use it
   * sets the limit. Default 256 MB.
   */
  maxBytes?: number
  /**
   * What an operation does when the server cannot be reached: reject with `E_UNAVAILABLE` (`'throw'`), or return its empty value (`null`,
   * `false`, `0`, `[]`, `{}`), as if nothing were stored or changed, with one warning per operation name (`'empty'`). Default:
   * `'empty'` with `NODE_ENV=development`, otherwise `'throw'`.
   *
   * With `'empty'`, `createSession` returns an id that no session has. A call rejects in either case if
   *
   * - its type has no empty value: calls that return nothing (`cache.set`, `setMany`, `setImageInfo`, `invalidateByTag`,
   *   `storeSession`, `addUserToRoom`, `storeMessage`); calls of the raw client that return a sum, a ttl, a type or a status (`incr`, `ttl`, `type`,
   *   `mSet`, `ping` …); `scan`, `scanIterator`, `eval`, `sendCommand` and `multi().exec()`
   * - it works only with a server: `withLock`, `join`, `send`, `watch`, `listen`, `subscribe`, and all of a
   *   `JobQueue`
   * - it may have been applied (`E_MAYBE_APPLIED`)
   */
  onUnavailable?: 'throw' | 'empty'
  /**
   * `true` adds the caller's line to the stacks of errors, for all services of this thread from then on, at a cost of some
   * microseconds per call. Default `false`. Always on with `NODE_ENV=development` or `CINNABAR_STACKS=1`. `error.command` and `error.key`
   * do not depend on it.
   */
  stacks?: boolean
  /**
   * The listener for changes of the server's state, each reported once: a connection lost or restored, a breaker opened or closed. A
   * server that keeps closing its connections is reported as such, and not again until one of them has lasted for five seconds.
   * Default: one line of `console.warn`, `cinnabar: …`. `false` turns the log off. A function gets the events instead; if several
   * services share a store and a function, it is called once per change.
   */
  log?: false | ((event: ServiceEvent) => void)
}

/** The credentials of a service. */
export interface Credentials {
  /** ACL user. Default: Redis's user `default`. */
  username?: string | null
  /** The password; not empty. */
  password: string
}

/** Options of TLS. Certificates and keys are PEM text, as `readFileSync` returns it, not paths. */
export interface TlsOptions {
  /** The certificates of the authorities to trust, instead of the system's. */
  ca?: string | Uint8Array
  /** The client's certificate, followed by its chain. Requires `key`. */
  cert?: string | Uint8Array
  /** The private key of `cert`, without a passphrase. */
  key?: string | Uint8Array
  /** The name that the server's certificate must have. Default: the host. */
  servername?: string
  /**
   * The SHA-256 fingerprint of the only certificate to accept, regardless of its issuer, names and dates; give several while it is
   * being replaced. 64 hexadecimal digits with or without colons, as printed by `openssl x509 -noout -fingerprint -sha256`.
   */
  fingerprint?: string | string[]
  /**
   * `false` accepts any certificate, with a warning: anyone in the network path can then read and change all traffic. Prefer `ca`
   * or `fingerprint`. Default `true`.
   */
  rejectUnauthorized?: boolean
}

/** The credentials for the sentinels. */
export interface SentinelOptions {
  /** ACL user at the sentinels. */
  username?: string
  /** The password at the sentinels. */
  password?: string
}

/** The backoff between attempts to connect: each wait is random, up to a bound that doubles with every failure. */
export interface ReconnectOptions {
  /** The first bound, in milliseconds. Default `50`. */
  firstMs?: number
  /** The last bound, in milliseconds, not below `firstMs`. Default `2000`. */
  longestMs?: number
}

/** When the circuit breaker opens. An error that the server replies with is not a failure. */
export interface BreakerOptions {
  /** The share of failed calls, above 0 and at most 1, that opens the breaker. Default `0.5`. */
  errorRate?: number
  /** The length of the window in which calls are counted, in milliseconds from 100 to 1 day. Default `10000`. */
  windowMs?: number
  /** The minimum number of calls in the window, from 1 to 1,000,000; with fewer the breaker stays closed. Default `20`. */
  volume?: number
  /** How long the breaker stays open before it lets one call through as a probe, in milliseconds, at most 1 day. Default `30000`. */
  openMs?: number
  /** The timeout of a probe, in milliseconds, at most 1 day. Default: `timeoutMs`, at most `5000`. */
  probeTimeoutMs?: number
  /** From which duration on a call counts as slow, in milliseconds, below `timeoutMs` and at most 1 day. Default `1000`. */
  slowCallMs?: number
  /** The share of slow calls, above 0 and at most 1, that opens the breaker. Default `0.8`. */
  slowRate?: number
}
