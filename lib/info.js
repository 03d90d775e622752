'use strict'

const NUMBERS = {
  usedMemory: 'used_memory',
  maxMemory: 'maxmemory',
  clients: 'connected_clients',
  evictedKeys: 'evicted_keys',
  rejectedConnections: 'rejected_connections',
  uptimeSeconds: 'uptime_in_seconds',
}

/** The facts of an INFO answer that health is about; `null` where the server does not say. */
function parseInfo(text) {
  const fields = new Map()
  for (const line of String(text ?? '').split(/\r?\n/)) {
    const at = line.indexOf(':')
    if (at > 0 && line[0] !== '#') fields.set(line.slice(0, at), line.slice(at + 1))
  }
  const facts = { version: fields.get('valkey_version') ?? fields.get('redis_version') ?? null }
  for (const [name, field] of Object.entries(NUMBERS)) {
    const value = Number(fields.get(field))
    facts[name] = fields.has(field) && Number.isFinite(value) ? value : null
  }
  return facts
}

module.exports = { parseInfo }
