// The health card: the report for load balancers, with the most important figures.
import { check, onCheck } from './connection.js'
import { byId, facts, make, onClick, say } from './dom.js'

const KINDS = { healthy: 'good', degraded: 'warn', down: 'bad' }
const BREAKERS = { closed: 'good', 'half-open': 'warn', open: 'bad' }
// More connections than this are shown as a number.
const DRAWN = 12

onClick('health-check', 'health-outcome', check)

onCheck(({ health }) => {
  if (health) return show(health)
  byId('health-status').textContent = 'no response'
  byId('health-status').dataset.kind = 'bad'
  byId('health-way').hidden = true
  facts(byId('health-facts'), {})
  byId('health-json').textContent = ''
  say('health-outcome', '')
})

function show(health) {
  const { status, redis, performance, sessionCache, cache, lastError, reconnects, alerts = [] } = health
  byId('health-status').textContent = status
  byId('health-status').dataset.kind = KINDS[status] ?? 'bad'
  drawWay(health)
  facts(byId('health-facts'), {
    engine: redis.version ? `${redis.engine}, version ${redis.version}` : redis.engine,
    memory: memory(redis),
    ping: milliseconds(performance.ping),
    set: milliseconds(performance.set),
    get: milliseconds(performance.get),
    cache: counts(cache.metrics),
    sessions: counts(sessionCache.metrics),
    reconnects: reconnects || null,
    'last error': lastError && `${lastError.message} (${new Date(lastError.at).toLocaleTimeString()})`,
  })
  byId('health-json').textContent = JSON.stringify(health, null, 2)
  // The card already says why Redis is down.
  say('health-outcome', status === 'down' ? '' : alerts.join('. '), 'bad')
}

/** The path of a call out of this process: its breaker, its connections, the servers. */
function drawWay({ breaker, servers, sessionCache: { pool } }) {
  const way = byId('health-way')
  // The embedded engine is called, not connected to.
  way.hidden = servers.length === 0
  const { size, available, pending } = pool
  const busy = size - available
  const dots = Array.from({ length: Math.min(size, DRAWN) }, (_, i) => make('i', '', i < busy ? { class: 'busy' } : {}))
  const connections = make('span', size > DRAWN ? ` ${size}` : '', { class: 'pool' })
  connections.prepend(...dots)
  const named = servers.map(({ host, port, role, connected }) => ({
    name: port === null ? host : `${host}:${port}`,
    role: role === 'unknown' ? 'server' : role,
    connected,
  }))
  const list = make('span', '', { class: 'servers' })
  list.append(
    ...named.map(({ name, role, connected }) =>
      make('b', `${role} ${name}`, { 'data-kind': connected ? 'good' : 'bad' }),
    ),
  )
  const state = make('b', `breaker ${breaker.state}`, { 'data-kind': BREAKERS[breaker.state] ?? 'bad' })
  way.replaceChildren(state, connections, list)
  const reached = named.map(({ name, role, connected }) => `${role} ${name} ${connected ? 'is up' : 'is down'}`)
  const waiting = pending > 0 ? `, ${pending} calls wait` : ''
  const counted = `${size} connection${size === 1 ? '' : 's'}, ${busy} busy${waiting}`
  way.setAttribute('aria-label', `The breaker is ${breaker.state}; ${counted}; ${reached.join(', ')}`)
  way.title = counted
}

const milliseconds = (value) => (value === null ? null : `${value} ms`)
const size = (bytes) =>
  bytes === null ? null : bytes < 2 ** 20 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 2 ** 20).toFixed(1)} MB`
const memory = ({ usedMemory, maxMemory, memoryUsage }) =>
  memoryUsage === null ? size(usedMemory) : `${size(usedMemory)} of ${size(maxMemory)}`
const counts = ({ hits, misses, hitRate }) => `hits ${hits}, misses ${misses} (${Math.round(hitRate * 100)} %)`
