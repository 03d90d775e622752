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
        await until(
          'all have missed it, and one loads',
          () => loads > 0 && caches.every((each) => each.stats().misses === 5),
        )
        gate.resolve({ x: 1 })
        const values = await Promise.all(all)
        assert.deepEqual(values, Array(20).fill({ x: 1 }))
        assert.equal(new Set(values).size, 20, 'each has a copy of its own')
        assert.equal(loads, 1)
        const counts = caches.map((cache) => cache.stats())
        assert.ok(
          counts.every(({ hits, misses }) => hits === 0 && misses === 5),
          'looking again is not counted',
        )
      }),
    )

    test(
      'a stale value is refreshed once',
      withCaches(async (one, other) => {
        await one.set('a', 'old', { ttl: 0.05, staleWhileRevalidate: 60 })
        await until('it is stale', async () => (await one.get('a')) === null)
        let loads = 0
        const gate = deferred()
        const load = () => (loads++, gate.promise)
        const options = { staleWhileRevalidate: 60 }
        assert.deepEqual(await Promise.all([one, other].map((cache) => cache.getOrSet('a', load, options))), [
          'old',
          'old',
        ])
        await until('one loads', () => loads > 0)
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
          const missed = [one, other].map((each) => each.stats().misses)
          const all = [one, other].map((cache) => cache.getOrSet('a', load).catch(({ message }) => message))
          const bothMissed = () => [one, other].every((each, at) => each.stats().misses > missed[at])
          await until('both have missed it, and one loads', () => loads > 0 && bothMissed())
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
          const [began, gate] = [deferred(), deferred()]
          const load = () => (began.resolve(), gate.promise)
          const first = one.getOrSet('a', load).catch(({ code }) => code)
          await began.promise
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
  // Each says that it has asked, that it loads, which ends when it gets the message `finish`, and what its callers got.
  const source = (url) => `
    import { ApiCache, RedisService } from 'cinnabar'
    const cache = new ApiCache(new RedisService({ url: ${JSON.stringify(url)}, log: false }), { sharedLoads: true })
    const finished = new Promise((resolve) => process.on('message', (word) => word === 'finish' && resolve()))
    const load = async () => {
      process.send('loads')
      await finished
      return process.pid
    }
    process.on('message', async (word) => {
      if (word !== 'go') return
      const all = Array.from({ length: 50 }, () => cache.getOrSet('cold', load))
      process.send('asked')
      process.send({ values: [...new Set(await Promise.all(all))] })
    })
    await cache.get('warm')
    process.send('ready')`
  const start = async (url) => {
    const child = background(process.execPath, ['--input-type=module', '-e', source(url)], { cwd: root, talks: true })
    const heard = []
    child.on('message', (message) => heard.push(message))
    await until('it is ready', () => heard.includes('ready'), 30)
    return { child, heard, loads: () => heard.filter((each) => each === 'loads').length }
  }
  const send = (peers, word) => peers.forEach(({ child }) => child.send(word))
  const allHaveValues = (peers) =>
    until('all have a value', () => peers.every(({ heard }) => heard.some(({ values }) => values)), 30)
  const loadsOf = (peers) => peers.reduce((sum, peer) => sum + peer.loads(), 0)
  // More on request: STAMPEDE=100.
  const count = Number(process.env.STAMPEDE ?? 8)
  const stampede = async (url) => {
    const peers = await Promise.all(Array.from({ length: count }, () => start(url)))
    send(peers, 'go')
    await until('all have asked', () => peers.every(({ heard }) => heard.includes('asked')), 30)
    await until('one loads', () => loadsOf(peers) > 0)
    send(peers, 'finish')
    await allHaveValues(peers)
    const values = peers.flatMap(({ heard }) => heard.find(({ values }) => values).values)
    for (const { child } of peers) child.kill('SIGKILL')
    return { loads: loadsOf(peers), values: new Set(values).size }
  }

  test(`${count} processes with 50 callers each make one load`, async () => {
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
    const dying = await start(redis.server.url)
    send([dying], 'go')
    await until('it loads', () => dying.loads() === 1)
    const others = await Promise.all(Array.from({ length: 3 }, () => start(redis.server.url)))
    send(others, 'go')
    dying.child.kill('SIGKILL')
    await until('another loads', () => loadsOf(others) > 0, 30)
    send(others, 'finish')
    await allHaveValues(others)
    assert.equal(loadsOf(others), 1)
    for (const { child } of others) child.kill('SIGKILL')
    await service.disconnect()
  })
})
