// How long the servers themselves take to agree on another primary: what a client cannot be faster than.

import { setTimeout as delay } from 'node:timers/promises'

import { openWire } from '../../../__test__/support/wire.mjs'

/**
 * Resolves to the ms since `since` at which one of these servers took a write of `key`, and which: the end of an election, as seen
 * without the client under test. `allowed(server)` may ask for more than that.
 */
export async function elected(servers, { key, password, since = performance.now(), allowed = () => true }) {
  const wires = new Map()
  try {
    for (const deadline = performance.now() + 60_000; performance.now() < deadline; await delay(5)) {
      for (const server of servers.filter(({ running, paused }) => running && !paused)) {
        try {
          if (!wires.get(server)?.open) wires.set(server, await openWire({ port: server.port, password }))
          await wires.get(server).call('SET', key, 'elected')
          if (await allowed(server)) return { ms: performance.now() - since, server }
        } catch {
          // Not this one, or not yet.
        }
      }
    }
  } finally {
    for (const wire of wires.values()) wire.close()
  }
  throw new Error('the servers elected no primary within 60 s')
}

/** The same for the servers that sentinels watch: the new primary takes writes, and a sentinel names it. */
export function promoted(group, before, { key, since }) {
  const named = async (server) => {
    const ports = await Promise.all(
      group.sentinels.filter(({ running, paused }) => running && !paused).map((sentinel) => sentinel.primaryPort()),
    )
    return ports.includes(server.port)
  }
  const others = group.servers.filter((server) => server !== before)
  return elected(others, { key, password: group.password, since, allowed: named })
}
