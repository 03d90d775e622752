'use strict'

/** An empty report; `null` means unknown. */
function emptyReport() {
  const metrics = () => ({ hits: 0, misses: 0, hitRate: 0, errors: 0 })
  return {
    status: 'down',
    redis: {
      connected: false,
      engine: null,
      topology: null,
      version: null,
      usedMemory: null,
      maxMemory: null,
      memoryUsage: null,
      clients: null,
      evictedKeys: null,
      rejectedConnections: null,
      uptimeSeconds: null,
    },
    servers: [],
    sessionCache: { metrics: metrics(), pool: { size: 0, available: 0, pending: 0 } },
    cache: { metrics: { ...metrics(), staleHits: 0 } },
    rateLimiter: { available: false, metrics: { allowed: 0, refused: 0, cached: 0, uncounted: 0 } },
    breaker: { state: 'open', calls: 0, failed: 0, slow: 0, retryInMs: null },
    performance: { ping: null, set: null, get: null },
    lastError: null,
    reconnects: 0,
    alerts: [],
    timestamp: new Date().toISOString(),
  }
}

/** Adds what is known locally, without sending anything. */
function fillFromProcess(report, service, status) {
  const { topology, pool, breaker, lastError, reconnects } = status
  report.redis.topology = topology
  report.redis.engine = topology === 'memory' ? 'memory' : 'redis'
  report.sessionCache = { metrics: withRate(service.sessions.stats()), pool }
  report.cache = { metrics: withRate(service.cache.stats()) }
  report.rateLimiter.metrics = service.limiter.stats()
  Object.assign(report, { breaker, lastError, reconnects })
}

// A stale hit counts as a hit: the caller did not have to wait.
function withRate({ hits, staleHits, misses, errors }) {
  const found = hits + (staleHits ?? 0)
  const reads = found + misses
  const metrics = { hits, misses, hitRate: reads === 0 ? 0 : found / reads, errors }
  return staleHits === undefined ? metrics : { ...metrics, staleHits }
}

module.exports = { emptyReport, fillFromProcess }
