// Which jobs were taken, and when, read from the queue's leases: a job may be taken and its worker killed before it begins, and of
// a take alone there is no event.

import { now } from './workers.mjs'

const EVERY_MS = 20

/**
 * Reads the leases of the queue `proof` every 20 ms until `stop()`, which returns all takes by time: `{ at, id }`. `at` is when
 * the lease was first seen. While the server is gone nothing is read.
 */
export function watchTakes(t, service) {
  const client = service.getClient()
  const tokens = new Map()
  const takes = []
  let running = true
  const watching = (async () => {
    while (running) {
      const asked = now()
      const leases = await client.hGetAll('queue:{queue:proof}:leases').catch(() => ({}))
      for (const [id, record] of Object.entries(leases)) {
        const token = record.slice(0, record.indexOf('\n'))
        if (tokens.get(id) === token) continue
        tokens.set(id, token)
        takes.push({ at: asked, id })
      }
      // There is nothing to wait for: a take has no event.
      await t.sleep(EVERY_MS)
    }
  })()
  return {
    async stop() {
      running = false
      await watching
      return takes
    },
  }
}
