import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ApiCache } from 'cinnabar'

import { deferred, refuses, root, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines } from '../support/engines.mjs'
import { background } from '../support/processes.mjs'

const [, redis] = engines

for (const engine of engines) {
  describe(`loads that all processes share, on ${engine.name}`, () => {
    // Services with other settings share nothing in this process, like those of several processes.
    const withCaches = (run, options) => async () => {
      const service = await engine.makeService()
      const others = [4001, 4002, 4003].map((timeoutMs) => engine.beside(service, { timeoutMs }))
      try {
        await run(...[service, ...others].map((each) => new ApiCache(each, { sharedLoads: true, ...options })))
      } finally {
        await Promise.all([service, ...others].map((each) => each.disconnect()))
      }
    }

    test(
      'a missing value is loaded once',
      withCaches(async (...caches) => {
        let loads = 0
        const gate = deferred()
        const load = () => (loads++, gate.promise)
        const all = caches.flatMap((cache) => Array.from({ length: 5 }, () => cache.getOrSet('a', load)))
        await until('one loads', () => loads === 1)
        // The others have looked again meanwhile.
        await new Promise((resolve) => setTimeout(resolve, 300))
        gate.resolve({ x: 1 })
        const values = await Promise.all(all)
        assert.deepEqual(values, Array(20).fill({ x: 1 }))
        assert.equal(new Set(values).size, 20, 'each has a copy of its own')
        assert.equal(loads, 1)
      }),
    )

    test(
      'a stale value is refreshed once',
      withCaches(async (one, other) => {
        await one.set('a', 'old', { ttl: 0.05, staleWhileRevalidate: 60 })
        if (engine.advance) await new Promise((resolve) => setTimeout(resolve, 60))
        else await until('it is stale', async () => (await one.get('a')) === null)
        let loads = 0
        const gate = deferred()
        const load = () => (loads++, gate.promise)
        const options = { staleWhileRevalidate: 60 }
        assert.deepEqual(await Promise.all([one, other].map((cache) => cache.getOrSet('a', load, options))), [
          'old',
          'old',
        ])
        await until('one loads', () => loads === 1)
        await new Promise((resolve) => setTimeout(resolve, 200))
        gate.resolve('new')
        await until('it is new', async () => (await other.get('a')) === 'new')
        assert.equal(loads, 1)
      }),
    )

    test(
      'what was loaded is not stored after an invalidation, and is loaded again',
      withCaches(async (one, other) => {
        let loads = 0
        const gates = [deferred(), deferred()]
        const load = () => gates[loads++].promise
        const first = one.getOrSet('a', load, { tags: ['t'] })
        await until('one loads', () => loads === 1)
        const second = other.getOrSet('a', load, { tags: ['t'] })
        await other.invalidateByTag('t')
        gates[0].resolve('before')
        assert.equal(await first, 'before')
        await until('the other loads', () => loads === 2)
        gates[1].resolve('after')
        assert.equal(await second, 'after')
        assert.equal(await one.get('a'), 'after')
      }),
    )

    test(
      'a load that fails, or has no value, is not waited for twice',
      withCaches(async (one, other) => {
        for (const result of [() => Promise.reject(new Error('the source is down')), () => undefined]) {
          let loads = 0
          const gate = deferred()
          const load = () => (loads++, gate.promise.then(result))
          const all = [one, other].map((cache) => cache.getOrSet('a', load).catch(({ message }) => message))
          await until('one loads', () => loads === 1)
          await new Promise((resolve) => setTimeout(resolve, 100))
          const released = performance.now()
          gate.resolve()
          const [first, second] = await Promise.all(all)
          assert.equal(first, second)
          assert.equal(loads, 2)
          assert.ok(performance.now() - released < 1000, 'a claim would last longer')
          assert.equal(await one.getOrSet('a', () => 'works'), 'works', 'later callers do not wait')
          await one.invalidate('a')
        }
      }),
    )

    test(
      'a load that takes too long is not waited for',
      withCaches(
        async (one, other) => {
          const gate = deferred()
          const first = one.getOrSet('a', () => gate.promise).catch(({ code }) => code)
          await new Promise((resolve) => setTimeout(resolve, 50))
          assert.equal(await other.getOrSet('a', () => 'own'), 'own')
          assert.equal(await first, 'E_TIMEOUT')
          gate.resolve('late')
        },
        { loadTimeoutMs: 2000 },
      ),
    )

    test('the option is true or false', async () => {
      const service = await engine.makeService()
      assert.throws(() => new ApiCache(service, { sharedLoads: 'yes' }), { code: 'E_INVALID_ARGUMENT' })
      const cache = new ApiCache(service, { sharedLoads: true })
      await refuses(
        cache.getOrSet('a', () => 1n),
        'E_INVALID_ARGUMENT',
      )
      assert.equal(await cache.getOrSet('a', () => 1), 1)
      await service.disconnect()
    })
  })
}

describe('loads that all processes share', () => {
  // Each reports on its standard output that it loads, and what its callers got.
  const source = (url, { hangs }) => `
    import { ApiCache, RedisService } from 'cinnabar'
    const cache = new ApiCache(new RedisService({ url: ${JSON.stringify(url)}, log: false }), { sharedLoads: true })
    const load = async () => {
      process.send('loads')
      await new Promise((resolve) => setTimeout(resolve, ${hangs} ? 60_000 : 300))
      return process.pid
    }
    process.on('message', async () => {
      const values = await Promise.all(Array.from({ length: 50 }, () => cache.getOrSet('cold', load)))
      process.send({ values: [...new Set(values)] })
    })
    await cache.get('warm')
    process.send('ready')`
  const start = async (url, options = { hangs: false }) => {
    const child = background(process.execPath, ['--input-type=module', '-e', source(url, options)], {
      cwd: root,
      talks: true,
    })
    const heard = []
    child.on('message', (message) => heard.push(message))
    await until('it is ready', () => heard.includes('ready'), 30)
    return { child, heard, loads: () => heard.filter((each) => each === 'loads').length }
  }
  const stampede = async (url) => {
    const peers = await Promise.all(Array.from({ length: 8 }, () => start(url)))
    for (const { child } of peers) child.send('go')
    await until('all have a value', () => peers.every(({ heard }) => heard.some(({ values }) => values)), 30)
    const values = peers.flatMap(({ heard }) => heard.find(({ values }) => values).values)
    for (const { child } of peers) child.kill('SIGKILL')
    return { loads: peers.reduce((sum, peer) => sum + peer.loads(), 0), values: new Set(values).size }
  }

  test('eight processes with 50 callers each make one load', async () => {
    const service = await redis.makeService()
    assert.deepEqual(await stampede(redis.server.url), { loads: 1, values: 1 })
    await service.disconnect()
  })

  test('so they do in a cluster', async () => {
    const cluster = await startCluster({ primaries: 3, replicas: 0 })
    assert.deepEqual(await stampede(cluster.url), { loads: 1, values: 1 })
    await cluster.close()
  })

  test('one that is killed while it loads is followed by another', async () => {
    const service = await redis.makeService()
    const dying = await start(redis.server.url, { hangs: true })
    dying.child.send('go')
    await until('it loads', () => dying.loads() === 1)
    const others = await Promise.all(Array.from({ length: 3 }, () => start(redis.server.url)))
    for (const { child } of others) child.send('go')
    dying.child.kill('SIGKILL')
    await until('all have a value', () => others.every(({ heard }) => heard.some(({ values }) => values)), 30)
    assert.equal(
      others.reduce((sum, peer) => sum + peer.loads(), 0),
      1,
    )
    for (const { child } of others) child.kill('SIGKILL')
    await service.disconnect()
  })
})
