// A queue on a service of its own, closed with the test.

import { randomUUID } from 'node:crypto'

import { JobQueue } from 'cinnabar'

/** A test's body that gets a queue and its service, and leaves nothing of them behind. */
export function withQueue(engine, run, options) {
  return async (t) => {
    const service = await engine.makeService()
    const queue = new JobQueue(`q-${randomUUID()}`, { service, ...options })
    try {
      await run(queue, service, t)
    } finally {
      // Some handlers never settle.
      await service.disconnect({ drainMs: 300 })
    }
  }
}

/** Has the leases on jobs be over, as if nobody had renewed them. Their worker may renew them at any moment. */
export const expire = (client, queue, ids) =>
  client.sendCommand(['ZADD', `queue:{queue:${queue.name}}:leased`, 'XX', ...ids.flatMap((id) => ['1', id])])

/** Keeps this thread busy. */
export function block(ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
}
