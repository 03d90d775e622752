'use strict'

const NUMBERS = {
  usedMemory: 'used_memory',
  maxMemory: 'maxmemory',
  clients: 'connected_clients',
  evictedKeys: 'evicted_keys',
  rejectedConnections: 'rejected_connections',
  uptimeSeconds: 'uptime_in_seconds',
}

/** The fields of an `INFO` or `CLUSTER INFO` reply, by name. */
function parseInfo(text) {
  const fields = new Map()
  for (const line of String(text ?? '').split(/\r?\n/)) {
    const at = line.indexOf(':')
    if (at > 0 && line[0] !== '#') fields.set(line.slice(0, at), line.slice(at + 1))
  }
  return fields
}

/** The fields of a health report; `null` for those the server does not return. */
function factsOf(fields) {
  const facts = { version: fields.get('valkey_version') ?? fields.get('redis_version') ?? null }
  for (const [name, field] of Object.entries(NUMBERS)) facts[name] = numberOf(fields, field)
  facts.memoryUsage = facts.maxMemory > 0 ? Math.round((1000 * facts.usedMemory) / facts.maxMemory) / 1000 : null
  return facts
}

function numberOf(fields, name) {
  const value = Number(fields.get(name))
  return fields.has(name) && Number.isFinite(value) ? value : null
}

/** The replicas listed by a primary: `slave0:ip=…,port=…,state=online,offset=…,lag=…`. A replica still syncing is not online. */
function replicasOf(fields) {
  const replicas = []
  for (const [name, value] of fields) {
    if (!/^slave\d+$/.test(name)) continue
    const parts = new Map(value.split(',').map((part) => part.split('=', 2)))
    const online = parts.get('state') === 'online'
    replicas.push({ host: parts.get('ip') ?? null, port: Number(parts.get('port')) || null, online })
  }
  return replicas
}

module.exports = { factsOf, numberOf, parseInfo, replicasOf }
