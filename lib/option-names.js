'use strict'

// The options of constructors, jobs, schedules and workers, by the class or method that takes it; nested where an option is an object. The
// native side validates the values. __test__/arguments/option-names.spec.mjs compares these names with what the native side reads
// and with what types/ declares.

const BACKOFF = { type: true, delayMs: true, maxMs: true, jitter: true }
const KEEP = { count: true, ageSeconds: true, bytes: true }
const RATE = { max: true, perMs: true }
// Of jobs, and of the defaults of a queue.
const COMMON = {
  delay: true,
  attempts: true,
  backoff: BACKOFF,
  priority: true,
  timeoutMs: true,
  keep: true,
  group: true,
}

module.exports = {
  service: {
    url: true,
    host: true,
    port: true,
    username: true,
    password: true,
    credentials: true,
    tls: { ca: true, cert: true, key: true, servername: true, fingerprint: true, rejectUnauthorized: true },
    db: true,
    sentinel: { username: true, password: true },
    driver: true,
    poolSize: true,
    timeoutMs: true,
    connectTimeoutMs: true,
    connectWaitMs: true,
    retryAttempts: true,
    reconnect: { firstMs: true, longestMs: true },
    maxQueuedCalls: true,
    maxQueuedBytes: true,
    keepAliveMs: true,
    breaker: {
      errorRate: true,
      windowMs: true,
      volume: true,
      openMs: true,
      probeTimeoutMs: true,
      slowCallMs: true,
      slowRate: true,
    },
    maxBytes: true,
    onUnavailable: true,
    log: true,
    stacks: true,
  },
  cache: { prefix: true, ttl: true, onUnavailable: true },
  cacheSet: { ttl: true, tags: true, staleWhileRevalidate: true },
  sessions: { prefix: true, ttl: true, rolling: true },
  createSession: { ttl: true, tags: true, id: true },
  limiter: { prefix: true, onUnavailable: true },
  locks: { prefix: true },
  rooms: { prefix: true, leaseMs: true },
  queue: {
    prefix: true,
    leaseMs: true,
    maxBytes: true,
    maxCrashes: true,
    keep: { done: KEEP, dead: KEEP },
    defaults: COMMON,
  },
  job: { ...COMMON, id: true, dedup: { id: true, ttlMs: true } },
  schedule: { everyMs: true, cron: true, timeZone: true, startAt: true, endAt: true, limit: true },
  worker: {
    concurrency: true,
    limits: { concurrency: true, rate: RATE, group: { concurrency: true, rate: RATE } },
  },
}
