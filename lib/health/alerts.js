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
const BY_SERVER_CODE = { LOADING: 'loading', BUSY: 'busy', MASTERDOWN: 'replication', CLUSTERDOWN: 'cluster' }

/** The alert for a failed check. */
function alertOfError(error) {
  return `${BY_SERVER_CODE[error?.serverCode] ?? BY_ERROR[error?.code] ?? 'error'}: ${messageOf(error)}`
}

/** The alert for a server that is loading its data. */
function alertOfLoading({ percent, seconds }) {
  const left = seconds > 0 ? `, about ${seconds} s remaining` : ''
  return `loading: the server has loaded ${Math.floor(percent ?? 0)} % of its data${left}`
}

/** The alert for breaker states that affect all calls; `alertsOfServers` reports single servers. */
function alertsOfBreaker({ breaker, nodes }, isShut) {
  if (isShut) {
    const again = breaker.retryInMs === null ? '' : `; the next attempt is in ${Math.ceil(breaker.retryInMs / 1000)} s`
    return [`breaker: calls are rejected${again}`]
  }
  const states = nodes.length > 0 ? nodes.map((node) => node.breaker) : [breaker.state]
  return states.includes('half-open') ? ['breaker: half-open, calls are let through one at a time'] : []
}

/** Problems of a server that responds. `before` is the report of the previous check, if the server has not restarted since. */
function alertsOfFacts({ performance, redis }, before, { slowMs, writeError, infoError, muted }) {
  const alerts = []
  const say = (code, text) => alerts.push(`${code}: ${text}`)
  if (performance.ping > slowMs) say('slow', `a PING took ${performance.ping} ms, more than ${slowMs} ms`)
  if (redis.memoryUsage > MEMORY) say('memory', `${Math.round(100 * redis.memoryUsage)} % of maxmemory is used`)
  const evicted = before && redis.evictedKeys - before.evictedKeys
  if (evicted > 0) say('evictions', `${evicted} keys evicted since the last check`)
  const rejected = before && redis.rejectedConnections - before.rejectedConnections
  if (rejected > 0) say('connections', `the server rejected ${rejected} since the last check`)
  if (muted) say('channels', 'the user lacks permission to publish or subscribe, so workers poll queues once a second')
  if (writeError) say('write', `a test key could not be written and read: ${messageOf(writeError)}`)
  // Missing permissions are not a fault of the server.
  if (infoError && infoError.code !== 'E_AUTH') say('info', `the server did not return INFO: ${messageOf(infoError)}`)
  return alerts
}

/** Problems of servers that belong together. `seen` is the highest number of replicas observed. */
function alertsOfServers(servers, { linkDown, seen }) {
  const alerts = []
  let named = 0
  for (const { host, port, role, connected, breaker } of servers) {
    const name = port === null ? host : `${host}:${port}`
    if (breaker === 'open') alerts.push(`server: calls to ${name} are rejected by its breaker`)
    if (connected) continue
    if (role === 'replica') named++
    alerts.push(
      role === 'replica' ? `replicas: ${name} is disconnected or still syncing` : `server: ${name} is disconnected`,
    )
  }
  const left = countReplicas(servers)
  if (left + named < seen) alerts.push(`replicas: ${left} of ${seen} remain`)
  if (linkDown) alerts.push('replication: the server has lost its primary, so its replies may be stale')
  return alerts
}

/** The number of replicas connected to their primary. */
function countReplicas(servers) {
  return servers.filter(({ role, connected }) => role === 'replica' && connected).length
}

module.exports = { alertOfError, alertOfLoading, alertsOfBreaker, alertsOfFacts, alertsOfServers, countReplicas }
