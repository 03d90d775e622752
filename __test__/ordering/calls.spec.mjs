// Callers who await nothing between two calls may rely on their order, as on one connection to a server.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { RateLimiter, RedisService } from 'cinnabar'

import { rawClient } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { startCluster } from '../support/cluster.mjs'

const COUNT = 3000

/**
 * Counts a limiter down in as many ticks, and awaits nothing meanwhile, with large values on the way now and then: a process that is
 * behind is where calls could overtake each other. Returns what each call reported as remaining.
 */
async function counted(service, key) {
  const limiter = new RateLimiter(service)
  const large = Buffer.alloc(20_000, 'x')
  const checks = []
  const others = []
  for (let n = 0; n < COUNT; n++) {
    checks.push(limiter.checkRateLimit(key, COUNT, 60))
    // The next tick is a microtask, or a turn of the event loop, away.
    await null
    if (n % 3 === 0) others.push(service.set('large', large))
    if (n % 7 === 0) await new Promise(setImmediate)
  }
  await Promise.all(others)
  return (await Promise.all(checks)).map(({ remaining }) => remaining)
}

const inOrder = Array.from({ length: COUNT }, (_, n) => COUNT - 1 - n)

for (const engine of engines) {
  describe(`calls that are not awaited on ${engine.name}`, () => {
    test('are done in the order in which they were made, those before it is connected too', async () => {
      const service = await engine.makeService()
      // The first one is not connected yet, the others are.
      for (const key of ['first', 'second', 'third']) assert.deepEqual(await counted(service, key), inOrder)
      await service.disconnect()
    })

    test('are done before and behind a FLUSHALL of their tick as they were made', async () => {
      const service = await engine.makeService()
      const [client, cache] = [await rawClient(service), service.cache]
      for (const flush of [() => client.flushAll(), () => client.sendCommand(['FLUSHALL'])]) {
        await cache.setMany(['a', 'b'].map((key) => ({ key, value: key })))
        const [before, , behind] = await Promise.all([cache.get('a'), flush(), cache.get('b')])
        assert.deepEqual([before, behind], ['a', null])
      }
      await service.disconnect()
    })
  })
}

describe('calls that are not awaited on a cluster', async () => {
  const cluster = await startCluster()
  after(() => cluster.close())

  test('are done in order where their slot is, those before the cluster is known too', async () => {
    for (const key of ['a', 'b', 'c']) {
      const service = new RedisService({ url: cluster.url })
      assert.deepEqual(await counted(service, `${key}:first`), inOrder)
      assert.deepEqual(await counted(service, `${key}:second`), inOrder)
      await service.disconnect()
    }
  })
})
