'use strict'

const { messageOf } = require('./status.js')

const MEMORY = 0.9
const BY_ERROR = {
  E_TIMEOUT: 'timeout',
  E_NOT_SENT: 'timeout',
  E_MAYBE_APPLIED: 'timeout',
  E_UNAVAILABLE: 'unavailable',
  E_BACKPRESSURE: 'queue',
  E_AUTH: 'auth',
  E_CLOSED: 'closed',
  E_INVALID_SETTINGS: 'settings',
  E_INVALID_ARGUMENT: 'settings',
}
const BY_WORD = { LOADING: 'loading', BUSY: 'busy', MASTERDOWN: 'replication', CLUSTERDOWN: 'cluster' }

/** Why there was no answer, as an alert. */
function alertOfError(error) {
  const text = messageOf(error)
  const word = /\b(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN)\b/.exec(text)?.[0]
  return `${BY_WORD[word] ?? BY_ERROR[error?.code] ?? 'error'}: ${text}`
}

/** What of a loading server its users want to know. */
function alertOfLoading({ percent, seconds }) {
  const left = seconds > 0 ? `, about ${seconds} s are left` : ''
  return `loading: the server has read ${Math.floor(percent ?? 0)} % of its data${left}`
}

/** What the breakers do to calls, when it concerns all of them: `servers` are told of one by one. */
function alertsOfBreaker({ breaker, nodes }, isShut) {
  if (isShut) {
    const again = breaker.retryInMs === null ? '' : `; one is let through in ${Math.ceil(breaker.retryInMs / 1000)} s`
    return [`breaker: calls are refused${again}`]
  }
  const states = nodes.length > 0 ? nodes.map((node) => node.breaker) : [breaker.state]
  return states.includes('half-open') ? ['breaker: calls are let through one at a time to see how they fare'] : []
}

/** What is wrong with a server that answers. `before` is what the check before this one found, on the same run. */
function alertsOfFacts({ performance, redis }, before, { slowMs, unwritten, untold, muted }) {
  const alerts = []
  const say = (code, text) => alerts.push(`${code}: ${text}`)
  if (performance.ping > slowMs) say('slow', `a PING took ${performance.ping} ms; ${slowMs} ms are expected`)
  if (redis.memoryUsage > MEMORY) say('memory', `${Math.round(100 * redis.memoryUsage)} % of maxmemory is used`)
  const evicted = before && redis.evictedKeys - before.evictedKeys
  if (evicted > 0) say('evictions', `${evicted} keys since the last check`)
  const rejected = before && redis.rejectedConnections - before.rejectedConnections
  if (rejected > 0) say('connections', `${rejected} refused since the last check`)
  if (muted) say('channels', 'the user may not publish or subscribe: queues are looked at once a second')
  if (unwritten) say('write', `a test key could not be written and read: ${messageOf(unwritten)}`)
  // A user who may not ask is no illness of the server.
  if (untold && untold.code !== 'E_AUTH') say('info', `the server does not tell about itself: ${messageOf(untold)}`)
  return alerts
}

/** What is wrong with servers that belong together. `seen` is how many replicas there once were. */
function alertsOfServers(servers, { linkDown, seen }) {
  const alerts = []
  let named = 0
  for (const { host, port, role, connected, breaker } of servers) {
    const name = port === null ? host : `${host}:${port}`
    if (breaker === 'open') alerts.push(`server: calls to ${name} are refused by its breaker`)
    if (connected) continue
    if (role === 'replica') named++
    alerts.push(role === 'replica' ? `replicas: ${name} is away or still copies its data` : `server: ${name} is away`)
  }
  const left = countReplicas(servers)
  if (left + named < seen) alerts.push(`replicas: ${left} of ${seen} are left`)
  if (linkDown) alerts.push('replication: the server has lost its primary, so what it answers may be old')
  return alerts
}

/** How many replicas follow their primary. */
function countReplicas(servers) {
  return servers.filter(({ role, connected }) => role === 'replica' && connected).length
}

module.exports = { alertOfError, alertOfLoading, alertsOfBreaker, alertsOfFacts, alertsOfServers, countReplicas }
