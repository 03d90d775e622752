'use strict'

/** A report of which nothing is known yet; `null` stands for what nobody told. */
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
    cache: { metrics: metrics() },
    rateLimiter: { available: false },
    breaker: { state: 'open', calls: 0, failed: 0, slow: 0, retryInMs: null },
    performance: { ping: null, set: null, get: null },
    lastError: null,
    reconnects: 0,
    alerts: [],
    timestamp: new Date().toISOString(),
  }
}

/** Adds what this process knows without asking anybody. */
function fillFromProcess(report, service, status) {
  const { topology, pool, breaker, lastError, reconnects } = status
  report.redis.topology = topology
  report.redis.engine = topology === 'memory' ? 'memory' : 'redis'
  report.sessionCache = { metrics: withRate(service.sessions.stats()), pool }
  report.cache = { metrics: withRate(service.cache.stats()) }
  Object.assign(report, { breaker, lastError, reconnects })
}

function withRate({ hits, misses, errors }) {
  const asked = hits + misses
  return { hits, misses, hitRate: asked === 0 ? 0 : hits / asked, errors }
}

module.exports = { emptyReport, fillFromProcess }
