'use strict'

const { NO_LIMITS, limitsWithin } = require('./call-limits.js')
const alerts = require('./health/alerts.js')
const { Deadline } = require('./health/deadline.js')
const { factsOf } = require('./health/info.js')
const { checkSettings } = require('./health/options.js')
const { probeLoading, probeServer, ping } = require('./health/probe.js')
const { emptyReport, fillFromProcess } = require('./health/report.js')
const { listServers, serversOfCluster, serversOfInfo } = require('./health/servers.js')
const { isShut, problemOf, statusOf } = require('./health/status.js')
const { nativeOf, nativeWithin, unlimited } = require('./native-service.js')

const PING_MS = 2000
// Enough for all servers of a large cluster, including replaced ones.
const MOST_RUNS = 1000
// By native service (without limits): the result of each server's last check, and the highest number of replicas observed.
const history = new WeakMap()

/** `service.healthCheck()`: whether the server replies to a PING, and the latency. Never rejects. */
async function pingService(open) {
  let where = {}
  try {
    const native = open()
    where = whereOf(native)
    const latency = await new Deadline(PING_MS).race(ping(native))
    where = whereOf(native)
    return { status: 'connected', latency: `${Math.max(1, Math.round(latency))}ms`, ...place(where) }
  } catch {
    return { status: 'disconnected', latency: '0ms', ...place(where) }
  }
}

/** Host and port of one server: of several, the first that is connected, otherwise the first that is known. */
function whereOf(native) {
  const where = native.describe()
  const { topology, nodes } = native.status()
  if (topology !== 'cluster' && topology !== 'sentinel') return where
  const node = nodes.find(({ connected }) => connected) ?? nodes[0]
  if (node?.port) return { engine: where.engine, host: node.host, port: node.port }
  const [, host, port] = /^\[?(.*?)\]?:(\d+)$/.exec(where.host.split(',')[0]) ?? []
  return { engine: where.engine, host: host ?? where.host, port: port ? Number(port) : null }
}

function place({ engine, host = null, port = null }) {
  return engine === 'memory' ? { host: null, port: null } : { host, port }
}

/** `healthCheck()`: everything a status page needs. Never rejects, and resolves within its deadline. */
async function checkHealth(service, options) {
  const report = emptyReport()
  try {
    const settings = checkSettings(options)
    // Limited by its own deadline, so that a probe that hangs does not delay `disconnect()`.
    const bounds = limitsWithin(NO_LIMITS, { timeoutMs: Math.max(1, settings.timeoutMs) })
    await examine(report, service, nativeWithin(nativeOf(service), bounds), settings)
  } catch (error) {
    // Invalid options, or a service that could not be created: there is no server to check.
    report.lastError = problemOf(error)
    report.alerts.push(alerts.alertOfError(error))
  }
  return report
}

async function examine(report, service, native, { timeoutMs, slowMs }) {
  const deadline = new Deadline(timeoutMs)
  const { connected, topology } = statusOf(native)
  let reply, failure
  try {
    reply = await probeServer(native, { deadline, slowMs, connected, inCluster: topology === 'cluster' })
  } catch (error) {
    failure = error
  }
  const loading = failure?.serverCode === 'LOADING' ? await probeLoading(native, deadline) : null
  // Read after the probes, so that the report shows their effects, such as a new connection or a closed breaker.
  const status = statusOf(native)
  fillFromProcess(report, service, status)
  report.alerts.push(...alerts.alertsOfBreaker(status, isShut(status)))
  if (failure) {
    report.servers = listServers(status.nodes, null)
    report.lastError ??= problemOf(failure)
    report.alerts.unshift(loading ? alerts.alertOfLoading(loading) : alerts.alertOfError(failure))
    return
  }
  const { info, cluster, infoError, writeError, ...times } = reply
  report.performance = times
  report.redis.connected = true
  report.rateLimiter.available = times.set !== null
  if (info) Object.assign(report.redis, factsOf(info))
  report.servers = listServers(status.nodes, found(status, info, cluster))
  report.alerts.push(...compare(native, report, info, { slowMs, infoError, writeError, muted: status.muted }))
  const lost = cluster?.state === 'fail'
  if (lost) report.alerts.unshift('cluster: it rejects calls because some slots have no server')
  const isDown = lost || isShut(status)
  report.status = isDown ? 'down' : report.alerts.length > 0 ? 'degraded' : 'healthy'
}

/** The servers listed in the replies, or null if none are. */
function found({ topology, nodes }, info, cluster) {
  if (cluster) return serversOfCluster(cluster.nodes)
  // The reply does not name the server that sent it: it is the one that calls go to.
  const sender = nodes.find(({ role }) => role === 'primary') ?? nodes[0]
  if (topology === 'cluster' || !sender) return null
  // It has just replied, even if its connection is being replaced right now.
  return info ? serversOfInfo(info, sender) : [{ ...sender, reachable: true, replicas: null }]
}

/** The alerts, compared with the previous check. */
function compare(native, report, info, reasons) {
  const origin = unlimited(native)
  let known = history.get(origin)
  if (!known) history.set(origin, (known = { runs: new Map(), replicas: 0 }))
  known.replicas = Math.max(known.replicas, alerts.countReplicas(report.servers))
  // A restarted server counts from zero, and each server of a cluster has its own counters.
  const run = info?.get('run_id') ?? ''
  const before = known.runs.get(run)
  if (info) {
    known.runs.delete(run)
    known.runs.set(run, report.redis)
    if (known.runs.size > MOST_RUNS) known.runs.delete(known.runs.keys().next().value)
  }
  const linkDown = info?.get('master_link_status') === 'down'
  return [
    ...alerts.alertsOfFacts(report, before, reasons),
    ...alerts.alertsOfServers(report.servers, { linkDown, seen: known.replicas }),
  ]
}

module.exports = { checkHealth, pingService }
