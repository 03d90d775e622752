// Whether replicas have what their primary has.

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until these replicas have every write that their primary has taken so far. A replica that only says that it is
 * connected need not: for up to a second after it got its copy, its primary sends it nothing more, and all writes of that
 * second are lost with the primary. `key` is one that this primary may write; it is gone afterwards.
 */
export async function replicated(primary, replicas, { key = `replicated:${randomUUID()}`, seconds = 30 } = {}) {
  await primary.command('SET', key, 'x')
  await primary.command('DEL', key)
  const [, written] = await primary.command('ROLE')
  const deadline = Date.now() + seconds * 1000
  for (const replica of replicas) {
    for (;;) {
      const [role, , port, state, read] = await replica.command('ROLE')
      if (role === 'slave' && port === primary.port && state === 'connected' && read >= written) break
      if (Date.now() > deadline) throw new Error(`${replica.port} never had what ${primary.port} has`)
      await delay(10)
    }
  }
}
