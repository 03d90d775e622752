'use strict'

const { replicasOf } = require('./info.js')

/**
 * Merges the servers as they describe themselves with this process's connections to them: `{ host, port, role, connected,
 * replicas, breaker, pool }`. `known` is local state; `found` comes from a server's reply, or is null.
 */
function listServers(known, found) {
  const servers = known.map(({ host, port, role, connected, breaker, pool }) => {
    return { host, port, role, connected, replicas: null, breaker, pool }
  })
  const named = (server, { host, name, port }) =>
    server.port === port && (sameHost(server.host, host) || sameHost(server.host, name) || !host)
  const others = [...(found ?? [])]
  for (const node of others) node.own = servers.find((server) => named(server, node))
  for (const node of others) {
    // An address that no known server goes by is matched to a known server if both are the only unmatched ones at that port.
    const free = servers.filter((server) => server.port === node.port && !others.some(({ own }) => own === server))
    const alike = others.filter(({ own, port }) => !own && port === node.port)
    if (!node.own && free.length === 1 && alike.length === 1) node.own = free[0]
  }
  for (const { own, host, port, role, reachable, replicas } of others) {
    // Connections are opened on demand, so having none to a server of a cluster is not a fault.
    if (own) Object.assign(own, { role, replicas, connected: reachable })
    else servers.push({ host, port, role, connected: reachable, replicas, breaker: null, pool: null })
  }
  return servers
}

/** Whether two spellings name the same host. */
function sameHost(a, b) {
  return Boolean(a && b) && plain(a) === plain(b)
}

const plain = (host) => host.replace(/^\[(.*)\]$/, '$1').toLowerCase()

/** Servers listed in `INFO`: the one that replied and, if it is a primary, its replicas. */
function serversOfInfo(fields, { host, port }) {
  const replicas = replicasOf(fields)
  const role = fields.get('role') === 'slave' ? 'replica' : 'primary'
  const online = role === 'primary' ? replicas.filter((replica) => replica.online).length : null
  return [
    { host, port, role, reachable: true, replicas: online },
    ...replicas.map((replica) => {
      return { host: replica.host, port: replica.port, role: 'replica', reachable: replica.online, replicas: null }
    }),
  ]
}

/** Servers listed in `CLUSTER NODES`. A server is unreachable if it is marked as failed, or if the replying node lost its link to it. */
function serversOfCluster(text) {
  const nodes = []
  for (const line of String(text ?? '').split('\n')) {
    const [id, address, flagged, primary, , , , link] = line.trim().split(' ')
    const flags = flagged?.split(',') ?? []
    if (!link || flags.includes('handshake') || flags.includes('noaddr')) continue
    // `host:port@bus,name`; an IPv6 address contains colons too.
    const [place, name] = address.split(',')
    const [, host, port] = /^(.*):(\d+)(?:@.*)?$/.exec(place) ?? []
    if (!port) continue
    const reachable = !flags.includes('fail') && !flags.includes('fail?') && link !== 'disconnected'
    const role = flags.includes('master') ? 'primary' : 'replica'
    nodes.push({ id, primary, host, name, port: Number(port), role, reachable, replicas: null })
  }
  for (const node of nodes.filter(({ role }) => role === 'primary')) {
    node.replicas = nodes.filter(({ primary, reachable }) => primary === node.id && reachable).length
  }
  return nodes
}

module.exports = { listServers, serversOfCluster, serversOfInfo }
