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

// Not a lease that another worker has taken since.
const EXPIRE = `
  for i = 1, #ARGV, 2 do
    if redis.call('HGET', KEYS[2], ARGV[i]) == ARGV[i + 1] then
      redis.call('ZADD', KEYS[1], 1, ARGV[i])
    end
  end`

/**
 * What has the leases be over that there are now on jobs, as if they had not been renewed. Their worker may renew them at any
 * moment, so it may have to be called again.
 */
export async function expiring(client, queue, ids) {
  const [ends, leases] = ['leased', 'leases'].map((part) => `queue:{queue:${queue.name}}:${part}`)
  const records = await Promise.all(ids.map(async (id) => [id, await client.hGet(leases, id)]))
  return () => client.eval(EXPIRE, 2, ends, leases, ...records.flat())
}

/** Keeps this thread busy. */
export function block(ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
}
