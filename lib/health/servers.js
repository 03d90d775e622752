'use strict'

const { replicasOf } = require('../info.js')

/**
 * The servers as they see themselves, beside what this process knows of its ways to them: `{ host, port, role, connected,
 * replicas, breaker, pool }`. `known` is what the process has; `found` is what a server told, or null.
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
    // A name that no server calls itself by: it is the one server at that port that is not accounted for.
    const free = servers.filter((server) => server.port === node.port && !others.some(({ own }) => own === server))
    const alike = others.filter(({ own, port }) => !own && port === node.port)
    if (!node.own && free.length === 1 && alike.length === 1) node.own = free[0]
  }
  for (const { own, host, port, role, reachable, replicas } of others) {
    // Connections are opened as load asks: that this process has none to a server of a cluster is no fault of it.
    if (own) Object.assign(own, { role, replicas, connected: reachable })
    else servers.push({ host, port, role, connected: reachable, replicas, breaker: null, pool: null })
  }
  return servers
}

/** Whether two spellings are one host. */
function sameHost(a, b) {
  return Boolean(a && b) && plain(a) === plain(b)
}

const plain = (host) => host.replace(/^\[(.*)\]$/, '$1').toLowerCase()

/** What `INFO` tells: the server that answered and, when it is a primary, its replicas. */
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

/** What `CLUSTER NODES` tells. A server is gone when the others agree on it, or when the one asked has lost it. */
function serversOfCluster(text) {
  const nodes = []
  for (const line of String(text ?? '').split('\n')) {
    const [id, address, flagged, primary, , , , link] = line.trim().split(' ')
    const flags = flagged?.split(',') ?? []
    if (!link || flags.includes('handshake') || flags.includes('noaddr')) continue
    // `host:port@bus,name`; an IPv6 address has colons of its own.
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
