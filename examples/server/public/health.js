// The health card: the answer a load balancer reads, with the figures a person asks for first.
import { api } from './api.js'
import { byId, facts, onClick, say } from './dom.js'

const KINDS = { healthy: 'good', degraded: 'warn', down: 'bad' }

onClick('health-check', 'health-outcome', check)

async function check() {
  try {
    show((await api('GET', '/health')).body)
  } catch (error) {
    // 503 carries the same answer: it says what is down.
    if (!error.body?.status) throw error
    show(error.body)
  }
}

function show(health) {
  const { status, redis, performance, sessionCache, cache, alerts = [] } = health
  byId('health-status').textContent = status
  byId('health-status').dataset.kind = KINDS[status] ?? 'bad'
  facts(byId('health-facts'), {
    engine: redis.version ? `${redis.engine}, version ${redis.version}` : redis.engine,
    memory: size(redis.usedMemory),
    ping: milliseconds(performance.ping),
    set: milliseconds(performance.set),
    get: milliseconds(performance.get),
    cache: counts(cache.metrics),
    sessions: counts(sessionCache.metrics),
  })
  byId('health-json').textContent = JSON.stringify(health, null, 2)
  say('health-outcome', alerts.join('. '), 'bad')
}

const milliseconds = (value) => (value === null ? null : `${value} ms`)
const size = (bytes) =>
  bytes === null ? null : bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`
const counts = ({ hits, misses, hitRate }) => `hits ${hits}, misses ${misses} (${Math.round(hitRate * 100)} %)`

check().catch((error) => say('health-outcome', error.message, 'bad'))
