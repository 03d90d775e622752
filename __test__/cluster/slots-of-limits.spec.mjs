// Slots of concurrency limits, on nodes of which one hangs.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { RateLimiter, RedisService } from 'cinnabar'

import { startCluster } from '../support/cluster.mjs'

const cluster = await startCluster({ primaries: 3, fullCoverage: false, nodeTimeoutMs: 30_000 })
after(() => cluster.close())

test('a node that hangs does not keep slots on others from being renewed', async () => {
  const policies = {
    long: { algorithm: 'concurrency', limit: 1, leaseMs: 9000 },
    short: { algorithm: 'concurrency', limit: 1, leaseMs: 1000 },
  }
  const service = new RedisService({ url: cluster.url, log: false })
  const limiter = new RateLimiter(service, { policies })
  const nodeOf = (id) => cluster.nodeOf(cluster.keySlot(`rate_limit:${id}`))
  const ids = Array.from({ length: 50 }, (_, number) => `id${number}`)
  const hanging = cluster.nodes[0]
  const nodes = await Promise.all(ids.map(nodeOf))
  const [there, here] = [ids.find((_, at) => nodes[at] === hanging), ids.find((_, at) => nodes[at] !== hanging)]
  const long = await limiter.acquire('long', there)
  await hanging.whilePaused(async () => {
    // A third of its lease: its renewal is in flight, and gets no reply.
    await delay(3200)
    const short = await limiter.acquire('short', here)
    // Leases are renewed in real time.
    await delay(2000)
    assert.equal(short.isTaken, true)
    assert.equal(await short.release(), true)
  })
  assert.equal(await long.release(), true)
  await service.disconnect()
})
