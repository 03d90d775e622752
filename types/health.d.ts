import type { ApiCacheStats, CacheStats } from './cache.js'
import type { ErrorCode } from './errors.js'
import type { RedisService } from './service.js'

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
