'use strict'

const { handleOf } = require('./handle.js')
const { parseInfo } = require('./info.js')

const DEADLINE_MS = 2000
const MEMORY_ALERT = 0.9
const previous = new WeakMap()

/** `service.healthCheck()`: whether one PING is answered, and how fast. Never rejects. */
async function pingService(open) {
  let where = {}
  try {
    const native = open()
    where = native.describe()
    const latency = await within(DEADLINE_MS, ping(native))
    return { status: 'connected', latency: `${Math.max(1, Math.round(latency))}ms`, ...place(where) }
  } catch {
    return { status: 'disconnected', latency: '0ms', ...place(where) }
  }
}

function place({ engine, host = null, port = null }) {
  return engine === 'memory' ? { host: null, port: null } : { host, port }
}

/** `healthCheck()`: everything a status page asks for. Never rejects, and answers within two seconds. */
async function checkHealth(service) {
  let native
  try {
    native = handleOf(service)
    // A draft of its own: what comes in after the deadline must not change an answer already given.
    const report = emptyReport()
    await within(DEADLINE_MS, askServer(native, report))
    report.status = report.alerts.length === 0 ? 'healthy' : 'degraded'
    return Object.assign(report, fromProcess(service, native))
  } catch (error) {
    const report = emptyReport()
    report.alerts.push(error?.message ?? String(error))
    return native ? Object.assign(report, fromProcess(service, native)) : report
  }
}

function emptyReport() {
  const metrics = () => ({ hits: 0, misses: 0, hitRate: 0, errors: 0 })
  return {
    status: 'down',
    redis: {
      connected: false,
      engine: null,
      version: null,
      usedMemory: null,
      maxMemory: null,
      clients: null,
      evictedKeys: null,
      rejectedConnections: null,
      uptimeSeconds: null,
    },
    sessionCache: { metrics: metrics(), pool: { size: 0, available: 0, pending: 0 } },
    cache: { metrics: metrics() },
    rateLimiter: { available: false },
    breaker: { state: 'open' },
    performance: { ping: null, set: null, get: null },
    alerts: [],
    timestamp: new Date().toISOString(),
  }
}

/** What this process knows without asking anybody. */
function fromProcess(service, native) {
  const { pool = poolOf(native), breaker = breakerOf(native) } = native.describe()
  return {
    sessionCache: { metrics: withRate(service.sessions.stats()), pool },
    cache: { metrics: withRate(service.cache.stats()) },
    breaker,
  }
}

// One connection carries all calls of a process; nobody waits for a turn on it.
function poolOf({ isConnected }) {
  const size = isConnected ? 1 : 0
  return { size, available: size, pending: 0 }
}

// While there is no connection, calls are refused at once and the server is dialled in the background.
function breakerOf({ isConnected }) {
  return { state: isConnected ? 'closed' : 'open' }
}

function withRate({ hits, misses, errors }) {
  const asked = hits + misses
  return { hits, misses, hitRate: asked === 0 ? 0 : hits / asked, errors }
}

async function askServer(native, report) {
  report.performance.ping = await ping(native)
  report.redis.connected = true
  report.rateLimiter.available = true
  const [info] = await Promise.all([native.command('INFO', []), measureKey(native, report)])
  Object.assign(report.redis, parseInfo(info), { engine: native.describe().engine })
  report.alerts.push(...alertsOf(report.redis, previous.get(native)))
  previous.set(native, report.redis)
}

// Without a server, a service may be told to answer "nothing" instead of failing: only PONG is an answer.
async function ping(native) {
  const start = performance.now()
  if ((await native.command('PING', [])) !== 'PONG') throw new Error('Redis is not connected')
  return since(start)
}

async function measureKey(native, report) {
  const key = `cinnabar:health:${crypto.randomUUID()}`
  try {
    let start = performance.now()
    await native.command('SET', [key, '1', 'EX', 10])
    report.performance.set = since(start)
    start = performance.now()
    await native.command('GET', [key])
    report.performance.get = since(start)
  } catch (error) {
    report.alerts.push(`a test key could not be written and read: ${error?.message ?? error}`)
  }
}

function since(start) {
  return Math.round((performance.now() - start) * 1000) / 1000
}

function alertsOf(now, before) {
  const alerts = []
  if (now.maxMemory > 0 && now.usedMemory > now.maxMemory * MEMORY_ALERT) {
    alerts.push(`memory: ${Math.round((100 * now.usedMemory) / now.maxMemory)} % of maxmemory is used`)
  }
  if (before && now.evictedKeys > before.evictedKeys) {
    alerts.push(`evictions: ${now.evictedKeys - before.evictedKeys} keys since the last check`)
  }
  if (before && now.rejectedConnections > before.rejectedConnections) {
    alerts.push(`connections: ${now.rejectedConnections - before.rejectedConnections} refused since the last check`)
  }
  return alerts
}

async function within(ms, work) {
  let timer
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
    // What loses the race still settles some day, and nobody listens by then.
    Promise.resolve(work).catch(() => {})
  }
}

module.exports = { checkHealth, pingService }
