// Whether replicas have what their primary has.

import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until these replicas have every write that their primary has taken so far, and get the next ones at once. A replica
 * that only says that it is connected need not: for up to a second after it got its copy, its primary sends it nothing more,
 * and all writes of that second are lost with the primary. So a write is made once all are connected, which no copy holds,
 * and waited for. `key` is one that this primary may write; it is gone afterwards.
 */
export async function replicated(primary, replicas, { key = `replicated:${randomUUID()}`, seconds = 30 } = {}) {
  const deadline = performance.now() + seconds * 1000
  const all = async (what, holds) => {
    for (const replica of replicas) {
      for (;;) {
        const [role, , port, state, read] = await replica.command('ROLE')
        if (role === 'slave' && port === primary.port && state === 'connected' && holds(read)) break
        if (performance.now() > deadline) throw new Error(`${replica.port} never ${what} ${primary.port}`)
        await delay(10)
      }
    }
  }
  await all('was connected to', () => true)
  await primary.command('SET', key, 'x')
  await primary.command('DEL', key)
  const [, written] = await primary.command('ROLE')
  await all('had what is in', (read) => read >= written)
}
