import type { ApiCacheStats, CacheStats } from './cache.js'
import type { ErrorCode } from './errors.js'
import type { RateLimiterStats } from './limit.js'
import type { RedisService } from './service.js'

/** Counts of a cache, with its hit rate. */
export interface HealthMetrics extends CacheStats {
  /** hits ÷ (hits + misses), from 0 to 1; 0 before the first lookup. */
  hitRate: number
}

/** Counts of an `ApiCache`. Its `hitRate` includes stale hits: (hits + staleHits) ÷ (hits + staleHits + misses). */
export interface CacheHealthMetrics extends HealthMetrics, ApiCacheStats {}

/** The connections to a server, or to all of them. */
export interface HealthPool {
  /** The number of open connections. */
  size: number
  /** How many of them are idle. */
  available: number
  /** The number of calls that wait to be sent. */
  pending: number
}

/** The state of a circuit breaker: `closed` lets calls through, `open` rejects them, `half-open` lets one through as a probe. */
export type BreakerState = 'closed' | 'half-open' | 'open'

/** The circuit breaker of a server. */
export interface HealthBreaker {
  /** The breaker's state. */
  state: BreakerState
  /** The number of calls in its window. */
  calls: number
  /** How many of them failed. */
  failed: number
  /** How many of them were slow. */
  slow: number
  /** In how many milliseconds the breaker lets a call through; `null` unless it is open. */
  retryInMs: number | null
}

/** A server. */
export interface HealthServer {
  /** The server's host, or the path of its socket. */
  host: string
  /** The server's port; `null` for a socket. */
  port: number | null
  /** The server's role among the others. */
  role: 'primary' | 'replica' | 'unknown'
  /**
   * Whether the server is up: according to its primary for a replica, and to the cluster for one of its servers. If neither replies,
   * whether this process has a connection to it.
   */
  connected: boolean
  /** The number of its replicas; `null` if it is not a primary, or the number is unknown. */
  replicas: number | null
  /** The state of its breaker in this process; `null` if this process does not call the server. */
  breaker: BreakerState | null
  /** The connections of this process to it; `null` if this process does not call the server. */
  pool: HealthPool | null
}

/** The last failure of a server or of a connection to it. Never contains a password. */
export interface HealthProblem {
  /** The kind of the failure. */
  code: ErrorCode
  /** A description for people. */
  message: string
  /** When it happened, as an ISO 8601 time. */
  at: string
}

/**
 * The code with which an alert begins, followed by a colon and a description for people.
 *
 * | code | what is wrong | status |
 * |---|---|---|
 * | `unavailable` | there is no connection to the server | down |
 * | `timeout` | the server did not reply within `timeoutMs` | down |
 * | `auth` | the server refused the user name or the password, or the user lacks a permission | down |
 * | `loading` | the server is loading its data after a restart | down |
 * | `busy` | a script has been running on the server for too long | down |
 * | `queue` | the queue of calls to the server is full in this process | down |
 * | `cluster` | the cluster rejects calls: some of its slots have no server | down |
 * | `closed` | the service was disconnected by its owner | down |
 * | `settings` | the service, its settings, the environment or the options of the check are invalid | down |
 * | `error` | the server replied to a PING with another error | down |
 * | `breaker` | the circuit breaker is open (down), or half-open (degraded, or down if it rejected the PING) | |
 * | `replication` | a replica has lost its primary: it still serves reads (degraded), or refuses to (down) | |
 * | `slow` | a PING took longer than `slowMs`, twice | degraded |
 * | `memory` | more than 90 % of `maxmemory` is used | degraded |
 * | `evictions` | keys were evicted since the last check of this service | degraded |
 * | `connections` | the server refused connections since the last check of this service | degraded |
 * | `channels` | the user may not publish or subscribe: queues are polled once a second, and events arrive late or not at all | degraded |
 * | `write` | a test key could not be written and read: no memory, no permission, or a read-only server | degraded |
 * | `server` | one of several servers is down, or its breaker is open | degraded |
 * | `replicas` | a replica is down, or there are fewer than this service has seen | degraded |
 * | `info` | the server replies, but not to INFO; that a user lacks the permission for INFO is no alert | degraded |
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

/** The result of `healthCheck()`. */
export interface Health {
  /**
   * `down` if calls fail: the server does not reply, the breaker is open, or the cluster rejects calls. `degraded` if they succeed and
   * there are alerts.
   */
  status: 'healthy' | 'degraded' | 'down'
  /** What the server reports about itself; `null` for what it does not report, or not to this user. */
  redis: {
    /** Whether the server replied. */
    connected: boolean
    /** The engine that replied. */
    engine: 'redis' | 'memory' | null
    /** The topology of the servers; `memory` for the embedded engine. */
    topology: 'memory' | 'single' | 'sentinel' | 'cluster' | null
    /** The server's version. */
    version: string | null
    /** Memory in use, in bytes. */
    usedMemory: number | null
    /** The server's `maxmemory`, in bytes; 0 without a limit. */
    maxMemory: number | null
    /** `usedMemory` ÷ `maxMemory`; `null` without a limit. */
    memoryUsage: number | null
    /** The number of connected clients, including those of other processes. */
    clients: number | null
    /** The number of keys evicted since the server started. */
    evictedKeys: number | null
    /** The number of connections refused since the server started. */
    rejectedConnections: number | null
    /** How long the server has been running, in seconds. */
    uptimeSeconds: number | null
  }
  /** All servers, including replicas; `[]` for the embedded engine. */
  servers: HealthServer[]
  /** The sessions of this service. */
  sessionCache: {
    /** The lookups of `service.sessions`. */
    metrics: HealthMetrics
    /** The connections of this process to all servers; none for the embedded engine. */
    pool: HealthPool
  }
  /** The lookups of `service.cache`. */
  cache: { metrics: CacheHealthMetrics }
  /** Whether limits are counted by the store, which requires that it accepts writes; and the checks of `service.limiter`. */
  rateLimiter: { available: boolean; metrics: RateLimiterStats }
  /** The circuit breaker. */
  breaker: HealthBreaker
  /** How long single commands took, in milliseconds, to three decimal places; `null` if the command failed. */
  performance: { ping: number | null; set: number | null; get: number | null }
  /** The last failure, even if everything works again; `null` if there was none. */
  lastError: HealthProblem | null
  /** How often a lost connection was restored. */
  reconnects: number
  /** The present problems, such as `memory: 93 % of maxmemory is used`. Each begins with a {@link HealthAlertCode}. */
  alerts: string[]
  /** When the check was made, as an ISO 8601 time. The `timestamp` of an `ImageInfo` is a number. */
  timestamp: string
}

/** Options of `healthCheck`. */
export interface HealthOptions {
  /** The timeout of the check, in milliseconds. Default `2000`. */
  timeoutMs?: number
  /** From which duration on a PING raises the alert `slow`, in milliseconds. Default `100`. */
  slowMs?: number
}

/**
 * Checks the health of a service, by default of the default one. Never rejects, and returns within `timeoutMs` even if the server hangs.
 * An invalid option or service is reported as an alert, too.
 *
 * It sends one to three PINGs and one INFO, and writes and reads a key `cinnabar:health:…` with a ttl of 10 s; to a cluster, it also
 * sends CLUSTER INFO and CLUSTER NODES. If a PING gets no reply, it sends nothing else, except that in a cluster it reads keys of eight
 * other slots, since one server that hangs is not the whole cluster. The breaker does not count the commands of a check, and lets them
 * through only when it lets other calls through. An ACL user needs `~cinnabar:health:*` and permission for PING, SET and GET; without
 * permission for INFO, what INFO reports is `null`.
 *
 * @example
 * const { status, alerts } = await healthCheck()
 * if (status !== 'healthy') console.warn(status, alerts)
 */
export function healthCheck(service?: RedisService, options?: HealthOptions): Promise<Health>

/** Options of `healthHandler`. */
export interface HealthHandlerOptions extends HealthOptions {
  /** The service to check. Default: the default service. */
  service?: RedisService
  /**
   * How long a report is reused, in milliseconds, which limits the checks to about one per second for any number of requests. With
   * `0`, each request that comes while no check runs starts one. Default `1000`.
   */
  maxAgeMs?: number
  /**
   * Whether to send the whole report, which contains host names and failures, but never a password. `false` sends only
   * `{ "status": … }`, for routes that any client can request. Default `true`.
   */
  detail?: boolean
  /**
   * `'ready'`: whether requests should be sent to this process: 503 while the service is down, or `shutdownOnSignal` has begun. `'live'`:
   * whether the process works at all, which is status 200 and no call; a restart does not help against a server that is down. Default
   * `'ready'`.
   */
  probe?: 'live' | 'ready'
}

/** A request handler in the style of fetch, for Next.js, Deno, Bun and Hono. */
export interface HealthHandler {
  /** Responds as to `GET`. */
  (): Promise<Response>
  /** Responds to a request of Hono, which passes a context: `app.get('/health', healthHandler())`. */
  (context: { readonly req: { readonly method: string } }): Promise<Response>
  /** Responds to `GET` and `HEAD`, and to any other method with 405. Never rejects. */
  (request: Request): Promise<Response>
  /** Responds to a request of `node:http`, Express and similar frameworks. */
  node(
    request: { readonly method?: string | undefined },
    response: { writeHead(status: number, headers: Record<string, string>): unknown; end(body?: string): unknown },
  ): Promise<void>
}

/**
 * Creates a handler for a route such as `/health` or `/api/health/redis`. It responds with the report of `healthCheck` as JSON, not to be
 * stored (`Cache-Control: no-store`), with status 200 if the service is healthy or degraded, and 503 if it is down. Concurrent requests
 * share a check, also over handlers of the same service with the same `timeoutMs` and `slowMs`. It connects at the first request.
 *
 * @throws {CinnabarError} `E_INVALID_ARGUMENT` for an invalid option.
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
