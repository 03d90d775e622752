// How long loaded values and failures last, and values that are replaced before their time is over.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ApiCache } from 'cinnabar'

import { deferred, refuses, until } from '../helpers.mjs'
import { engines, withCacheOn } from '../support/engines.mjs'

const none = () => assert.fail('it is cached')

for (const engine of engines) {
  const withCache = withCacheOn(engine)

  describe(`a value that is replaced early, on ${engine.name}`, () => {
    const options = { ttl: 100, eagerRefresh: 0.8 }
    const left = (client, key, seconds) => client.pExpire(`api:${key}`, seconds * 1000)

    test(
      'is returned, and one load replaces it',
      withCache(async (cache, service, client) => {
        await cache.getOrSet('a', () => 'old', options)
        assert.equal(await cache.getOrSet('a', none, options), 'old')
        await left(client, 'a', 19)
        const gate = deferred()
        let loads = 0
        const load = () => (loads++, gate.promise)
        const found = await Promise.all(Array.from({ length: 20 }, () => cache.lookup('a', load, options)))
        assert.deepEqual(found, Array(20).fill({ value: 'old', source: 'hit' }))
        await until('a load has begun', () => loads > 0)
        gate.resolve('new')
        await until('it is replaced', async () => (await cache.get('a')) === 'new')
        assert.equal(loads, 1)
        assert.equal(await cache.getOrSet('a', none, options), 'new')
        assert.ok((await cache.ttl('a')) > 90)
      }),
    )

    test(
      'stays if its load fails, which is tried again after a while',
      withCache(
        async (cache, service, client) => {
          await cache.getOrSet('a', () => 'old')
          await left(client, 'a', 100)
          let loads = 0
          const load = () => (loads++, Promise.reject(new Error('down')))
          assert.equal(await cache.getOrSet('a', load), 'old')
          await until('it has failed', () => cache.stats().errors === 1)
          for (let call = 0; call < 5; call++) assert.equal(await cache.getOrSet('a', load), 'old')
          assert.deepEqual([loads, cache.stats().errors], [1, 1])
        },
        { eagerRefresh: 0.5 },
      ),
    )

    test(
      'is replaced late in its own time, however short that is, and not if it was not loaded so',
      withCache(
        async (cache, service, client) => {
          let loads = 0
          const options = { ttl: 600, nullTtl: 100 }
          const ways = {
            null: () => (loads++, null),
            own: (key, load) => (loads++, load.setTtl(100), 'own'),
          }
          for (const [key, load] of Object.entries(ways)) {
            for (let call = 0; call < 5; call++) await cache.getOrSet(key, load, options)
            await left(client, key, 11)
            await cache.getOrSet(key, load, options)
          }
          await cache.set('set', 1, { ttl: 5 })
          assert.equal(await cache.getOrSet('set', none, options), 1)
          assert.equal(loads, 2)
          for (const [key, load] of Object.entries(ways)) {
            await left(client, key, 9)
            await cache.getOrSet(key, load, options)
          }
          await until('both are replaced', () => loads === 4)
        },
        { eagerRefresh: 0.9 },
      ),
    )

    for (const sharedLoads of [false, true]) {
      test(
        `is replaced later if its load never settles, ${sharedLoads ? 'by whatever process' : 'in this process'}`,
        withCache(
          async (cache, service, client) => {
            const elsewhere = engine.beside(service, { timeoutMs: 4001 })
            const other = new ApiCache(elsewhere, { sharedLoads, loadTimeoutMs: 100 })
            await cache.getOrSet('a', () => 'old', options)
            await left(client, 'a', 10)
            let hangs = 0
            const hanging = () => (hangs++, new Promise(() => {}))
            assert.equal(await cache.getOrSet('a', hanging, options), 'old')
            await until('it is overdue', () => hangs === 1 && cache.stats().errors === 1)
            // No claim is left.
            await cache.invalidate('a')
            const began = performance.now()
            assert.equal(await other.getOrSet('a', () => 'new', options), 'new')
            assert.ok(performance.now() - began < 1000)
            assert.equal(await cache.getOrSet('a', none, options), 'new')
            await left(client, 'a', 10)
            // Its backoff is a second.
            const replaced = async () => (await cache.getOrSet('a', () => 'newer', options)) === 'newer'
            await until('it is replaced', replaced)
            await elsewhere.disconnect()
          },
          { sharedLoads, loadTimeoutMs: 100 },
        ),
      )
    }

    test(
      'is not replaced by what was loaded before an invalidation',
      withCache(async (cache, service, client) => {
        const tagged = { ...options, tags: ['t'] }
        await cache.getOrSet('a', () => 'old', tagged)
        await left(client, 'a', 10)
        const [gate, began] = [deferred(), deferred()]
        assert.equal(await cache.getOrSet('a', () => (began.resolve(), gate.promise), tagged), 'old')
        await began.promise
        await cache.invalidateByTag('t')
        assert.deepEqual(await cache.lookup('a', () => 'new', tagged), { value: 'new', source: 'load' })
        gate.resolve('older')
        await new Promise((resolve) => setImmediate(resolve))
        assert.equal(await cache.get('a'), 'new')
      }),
    )

    test(
      'is replaced by one process only, if they share their loads',
      withCache(
        async (cache, service, client) => {
          // A service with other settings shares nothing in this process.
          const elsewhere = engine.beside(service, { timeoutMs: 4001 })
          const other = new ApiCache(elsewhere, { sharedLoads: true })
          await cache.getOrSet('a', () => 'old', options)
          await left(client, 'a', 10)
          let loads = 0
          const gate = deferred()
          const load = () => (loads++, gate.promise)
          const both = () => Promise.all([cache, other].map((each) => each.getOrSet('a', load, options)))
          for (let call = 0; call < 5; call++) assert.deepEqual(await both(), ['old', 'old'])
          await until('a load has begun', () => loads > 0)
          assert.deepEqual(await both(), ['old', 'old'])
          gate.resolve('new')
          await until('both see it', async () => (await both()).every((value) => value === 'new'))
          assert.equal(loads, 1)
          // One that claims the load only when another has replaced the value does not load.
          for (let round = 0; round < 40; round++) {
            loads = 0
            await left(client, 'a', 10)
            const soon = async () => (loads++, await new Promise((resolve) => setImmediate(resolve)), round)
            const callers = Array.from({ length: 20 }, async (_, n) => {
              const own = n % 2 ? cache : other
              while ((await own.getOrSet('a', soon, options)) !== round)
                await new Promise((resolve) => setImmediate(resolve))
            })
            await Promise.all(callers)
            await until('no claim is left', async () => (await client.exists('api:{api:a}:claim')) === 0)
            assert.equal(loads, 1, `in round ${round}`)
          }
          await elsewhere.disconnect()
        },
        { sharedLoads: true },
      ),
    )

    test(
      'is replaced while it is near',
      withCache(
        async (cache) => {
          // It is to be replaced 10 ms after it was stored.
          const options = { ttl: 100, eagerRefresh: 0.0001 }
          await cache.getOrSet('a', () => 'old', options)
          await until('it is near', async () => (await cache.get('a'), cache.peek('a') === 'old'))
          const sources = new Set()
          await until('it is replaced', async () => {
            const { value, source } = await cache.lookup('a', () => 'new', options)
            if (value === 'old') sources.add(source)
            return value === 'new'
          })
          assert.deepEqual([...sources], ['near'])
        },
        { near: true },
      ),
    )
  })

  describe(`how long a loaded value lasts, on ${engine.name}`, () => {
    const spread = async (cache, options, load = () => 1) => {
      const keys = Array.from({ length: 100 }, (_, n) => `k${n}-${JSON.stringify(options)}`)
      await Promise.all(keys.map((key) => cache.getOrSet(key, load, options)))
      const times = await Promise.all(keys.map((key) => cache.ttl(key)))
      return [Math.min(...times), Math.max(...times)]
    }

    test(
      'differs at random, so that values do not expire together',
      withCache(async (cache) => {
        const [least, most] = await spread(cache, { ttl: 1000 })
        assert.ok(least > 985 && most <= 1000 && most - least > 2, `${least} to ${most}`)
        const [early, late] = await spread(cache, { ttl: 1000, jitter: 0.5 })
        assert.ok(early > 490 && early < 700 && late > 800, `${early} to ${late}`)
        for (const exact of [{ ttl: 1000, jitter: 0 }, { ttl: 59 }]) {
          const [least, most] = await spread(cache, exact)
          assert.ok(least > exact.ttl - 10 && most <= exact.ttl, `${least} to ${most}`)
        }
        const said = (key, load) => (load.setTtl(1000), 1)
        assert.ok((await spread(cache, { jitter: 0.5 }, said))[0] > 990)
        await cache.setMany([{ key: 'a', value: 1, ttl: 1000 }])
        assert.ok((await cache.ttl('a')) > 990)
      }),
    )

    test(
      'is shorter for null',
      withCache(
        async (cache) => {
          await cache.getOrSet('missing', () => null)
          await cache.getOrSet('found', () => 0)
          await cache.getOrSet('own', () => null, { nullTtl: 20 })
          await cache.getOrSet('short', () => null, { ttl: 3 })
          const times = await Promise.all(['missing', 'found', 'own', 'short'].map((key) => cache.ttl(key)))
          assert.deepEqual(times.map(Math.ceil), [10, 300, 20, 3])
          assert.equal(await cache.getOrSet('missing', none), null)
        },
        { nullTtl: 10, jitter: 0 },
      ),
    )
  })

  describe(`a failure that lasts, on ${engine.name}`, () => {
    const failing = () => {
      const load = () => (load.count++, Promise.reject(load.error))
      return Object.assign(load, { count: 0, error: new Error('the source is down') })
    }

    test(
      'is the result of later calls without another load',
      withCache(async (cache, service, client) => {
        const load = failing()
        const options = { errorTtl: 600 }
        for (let call = 0; call < 5; call++) await assert.rejects(cache.getOrSet('a', load, options), load.error)
        assert.equal(load.count, 1)
        await until('no lease is left', async () => (await client.exists('api:{api:a}:load')) === 0)
        await assert.rejects(cache.getOrSet('b', load, { errorTtl: 0.05 }), load.error)
        await until('it is over', () => cache.getOrSet('b', () => true).catch(() => false))
      }),
    )

    test(
      'ends when the value is stored, or invalidated by this process',
      withCache(
        async (cache, service) => {
          const elsewhere = engine.beside(service, { timeoutMs: 4001 })
          const other = new ApiCache(elsewhere)
          const tagged = { tags: ['t'] }
          const ends = [
            () => cache.invalidate('a'),
            () => cache.deleteMany(['a']),
            () => cache.invalidateByTag('t'),
            () => cache.expireByTag('t'),
            () => cache.invalidateByPattern('a'),
            () => cache.clear(),
          ]
          for (const end of ends) {
            const load = failing()
            await assert.rejects(cache.getOrSet('a', load, tagged), load.error)
            await assert.rejects(cache.getOrSet('a', none, tagged), load.error)
            await cache.invalidate('b')
            await cache.invalidateByTag('u')
            await assert.rejects(cache.getOrSet('a', none, tagged), load.error)
            await end()
            assert.equal(await cache.getOrSet('a', () => 'loaded', tagged), 'loaded', String(end))
            await cache.invalidate('a')
          }
          const load = failing()
          await assert.rejects(cache.getOrSet('a', load), load.error)
          await other.set('a', 'set elsewhere')
          assert.equal(await cache.getOrSet('a', none), 'set elsewhere')
          await other.invalidate('a')
          assert.equal(await cache.getOrSet('a', () => 'loaded'), 'loaded', 'it ended when the value was found')
          const again = failing()
          await assert.rejects(cache.getOrSet('b', again), again.error)
          await cache.set('b', 1)
          await other.invalidate('b')
          assert.equal(await cache.getOrSet('b', () => 2), 2)
          assert.equal(load.count, 1)
          await elsewhere.disconnect()
        },
        { errorTtl: 600 },
      ),
    )

    test(
      'is not kept if the key was invalidated meanwhile',
      withCache(
        async (cache) => {
          for (const change of [() => cache.invalidate('a'), () => cache.invalidateByTag('t'), () => cache.clear()]) {
            const [gate, began] = [deferred(), deferred()]
            const load = async () => {
              began.resolve()
              await gate.promise
              throw new Error('the source was down')
            }
            const loading = cache.getOrSet('a', load, { tags: ['t'] })
            await began.promise
            await change()
            gate.resolve()
            await assert.rejects(loading, /the source was down/)
            assert.equal(await cache.getOrSet('a', () => 'loaded', { tags: ['t'] }), 'loaded', String(change))
            await cache.invalidate('a')
          }
        },
        { errorTtl: 600 },
      ),
    )

    test(
      'does not outlast an invalidation that was still going on',
      withCache(
        async (cache) => {
          const load = failing()
          const clearing = cache.clear()
          await assert.rejects(cache.getOrSet('a', load), load.error)
          await clearing
          assert.equal(await cache.getOrSet('a', () => 'loaded'), 'loaded')
        },
        { errorTtl: 600 },
      ),
    )

    test(
      'is not kept unless that is asked for',
      withCache(async (cache) => {
        const load = failing()
        for (let call = 0; call < 3; call++) await assert.rejects(cache.getOrSet('a', load), load.error)
        assert.equal(load.count, 3)
      }),
    )
  })

  test(`options that are wrong are refused, on ${engine.name}`, async () => {
    const service = await engine.makeService()
    for (const [name, values] of Object.entries({
      eagerRefresh: [0, 1, -1, NaN, '0.5', null, true],
      jitter: [-0.1, 0.91, NaN, '0', null],
      nullTtl: [0, -1, NaN, '5', null],
      errorTtl: [0, -1, NaN, '5', null],
    })) {
      for (const value of values) {
        const options = { [name]: value }
        const says = new RegExp(`^${name} must be a number`)
        assert.throws(() => new ApiCache(service, options), { code: 'E_INVALID_ARGUMENT', message: says })
        await refuses(service.cache.getOrSet('a', none, options), 'E_INVALID_ARGUMENT', says)
      }
    }
    await service.disconnect()
  })
}
