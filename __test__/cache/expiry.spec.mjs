// What ends the freshness of many values: an expired tag, and clearing everything. And iterating over all that is there.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ApiCache, RedisService } from 'cinnabar'

import { deferred, refuses, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines, withCacheOn } from '../support/engines.mjs'

const down = () => Promise.reject(new Error('the source is down'))
const none = () => assert.fail('it is cached')

for (const engine of engines) {
  const withCache = withCacheOn(engine)
  const all = async (cache) => {
    const found = new Map()
    for await (const [key, value] of cache.entries()) found.set(key, value)
    return found
  }

  describe(`a tag that expires, on ${engine.name}`, () => {
    const options = { ttl: 100, tags: ['t'], staleWhileRevalidate: 60 }

    test(
      'makes its values stale: the next caller gets the old one, and a new one is loaded',
      withCache(async (cache) => {
        await cache.set('a', 'old', options)
        await cache.set('other', 'old', { tags: ['u'] })
        await cache.expireByTag('t')
        assert.deepEqual([await cache.get('a'), await cache.has('a'), await cache.ttl('a')], [null, false, null])
        const gate = deferred()
        const load = () => gate.promise
        for (let call = 0; call < 3; call++) {
          assert.deepEqual(await cache.lookup('a', load, options), { value: 'old', source: 'stale' })
        }
        gate.resolve('new')
        await until('it is replaced', async () => (await cache.get('a')) === 'new')
        assert.equal(await cache.getOrSet('a', none, options), 'new')
        assert.equal(await cache.get('other'), 'old')
        assert.equal(cache.stats().staleHits, 3)
      }),
    )

    test(
      'may expire several times before its values are read',
      withCache(async (cache) => {
        await cache.set('a', 'old', options)
        for (let expiry = 0; expiry < 20; expiry++) await cache.expireByTag('t')
        assert.deepEqual(await cache.lookup('a', down, options), { value: 'old', source: 'stale' })
      }),
    )

    test(
      'keeps its values for a source that is down',
      withCache(async (cache) => {
        const options = { ttl: 100, tags: ['t'], staleIfError: 60 }
        await cache.set('a', 'old', options)
        await cache.expireByTag('t')
        assert.deepEqual(await cache.lookup('a', down, options), { value: 'old', source: 'stale' })
        await cache.invalidateByTag('t')
        await assert.rejects(cache.getOrSet('b', down, options), /the source is down/)
      }),
    )

    test(
      'invalidates a value that may not be stale',
      withCache(async (cache) => {
        await cache.set('a', 'old', { tags: ['t'] })
        await cache.expireByTag('t')
        assert.deepEqual(await cache.lookup('a', () => 'new', { tags: ['t'] }), { value: 'new', source: 'load' })
      }),
    )

    test(
      'wins over a load that began before, and only over that',
      withCache(async (cache) => {
        const [gate, began] = [deferred(), deferred()]
        const loading = cache.getOrSet('a', () => (began.resolve(), gate.promise), options)
        await began.promise
        await cache.expireByTag('t')
        // This one does not share that load.
        const second = await cache.lookup('a', () => 'new', options)
        assert.deepEqual(second, { value: 'new', source: 'load' })
        gate.resolve('old')
        assert.equal(await loading, 'old')
        assert.equal(await cache.get('a'), 'new')
      }),
    )

    test(
      'is seen by near values at once',
      withCache(
        async (cache) => {
          await cache.set('a', 'old', options)
          await until('it is near', async () => (await cache.get('a'), cache.peek('a') === 'old'))
          await cache.expireByTag('t')
          assert.equal(cache.peek('a'), undefined)
          assert.equal(await cache.get('a'), null)
          assert.deepEqual(await cache.lookup('a', () => 'new', options), { value: 'old', source: 'stale' })
          await until('it is replaced', async () => (await cache.get('a')) === 'new')
        },
        { near: true },
      ),
    )
  })

  describe(`clearing a cache, on ${engine.name}`, () => {
    for (const clearable of [false, true]) {
      test(
        `invalidates all values and loads under its prefix, ${clearable ? 'by one call' : 'one by one'}`,
        withCache(
          async (cache, service, client) => {
            const other = new ApiCache(service, { prefix: 'other:', clearable })
            await Promise.all([cache, other].map((each) => each.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2, tags: ['t'] }]))) // prettier-ignore
            await cache.setImageInfo('a.png', { size: 1, type: 'image/png', hash: 'h' })
            assert.equal((await client.get('api:a')) === '1', !clearable)
            const [gate, began] = [deferred(), deferred()]
            const loading = cache.getOrSet('c', () => (began.resolve(), gate.promise))
            await began.promise
            assert.equal(await cache.clear(), undefined)
            gate.resolve(3)
            assert.equal(await loading, 3)
            assert.deepEqual(await cache.getMany(['a', 'b', 'c']), [null, null, null])
            assert.equal(await cache.getImageInfo('a.png'), null)
            assert.deepEqual(await other.getMany(['a', 'b']), [1, 2])
            await cache.set('a', 4)
            assert.equal(await cache.getOrSet('c', () => 5, { tags: ['t'] }), 5)
            assert.deepEqual(await cache.getMany(['a', 'c']), [4, 5])
            await cache.invalidateByTag('t')
            assert.deepEqual(await cache.getMany(['a', 'c']), [4, null])
          },
          { clearable },
        ),
      )

      test(
        `is seen by near values at once, ${clearable ? 'by one call' : 'one by one'}`,
        withCache(
          async (cache) => {
            await cache.set('a', 1)
            await until('it is near', async () => (await cache.get('a'), cache.peek('a') === 1))
            await cache.clear()
            assert.deepEqual([cache.peek('a'), await cache.get('a')], [undefined, null])
          },
          { near: true, clearable },
        ),
      )
    }

    test(
      'needs a prefix, or values that say to which cache they belong',
      withCache(async (_, service) => {
        await refuses(new ApiCache(service, { prefix: '' }).clear(), 'E_INVALID_ARGUMENT', /prefix/)
        const bare = new ApiCache(service, { prefix: '', clearable: true })
        await bare.set('a', 1)
        await bare.clear()
        assert.equal(await bare.get('a'), null)
        await refuses(bare.clear('a*'), 'E_INVALID_ARGUMENT', /invalidateByPattern/)
        assert.throws(() => new ApiCache(service, { clearable: 1 }), { code: 'E_INVALID_ARGUMENT' })
      }),
    )
  })

  describe(`all values of a cache, on ${engine.name}`, () => {
    test(
      'are found with their keys, each of them fresh',
      withCache(async (cache, service, client) => {
        const expected = new Map(Array.from({ length: 2500 }, (_, n) => [`k${n}`, { n }]))
        await cache.setMany([...expected].map(([key, value]) => ({ key, value })))
        for (const [key, value] of [
          ['', 0],
          ['null', null],
          ['{a}:b', 1],
          ['ü*?', [1]],
          ['image:a.png', {}],
        ]) {
          // prettier-ignore
          await cache.set(key, value, { tags: ['t'] })
          expected.set(key, value)
        }
        await cache.set('x'.repeat(600), 'of which only a hash is stored')
        await cache.set('stale', 1, { tags: ['u'], staleWhileRevalidate: 100 })
        await cache.expireByTag('u')
        await client.set('foreign', '1')
        await client.set('api:foreign', 'no JSON')
        await client.rPush('api:list', ['1'])
        const before = cache.stats()
        assert.deepEqual(await all(cache), expected)
        assert.deepEqual(cache.stats(), before)
        await cache.clear()
        assert.deepEqual(await all(cache), new Map())
      }),
    )

    test(
      'are read step by step, and not after the caller has enough',
      withCache(async (cache) => {
        await cache.set('a', 1)
        const entries = cache.entries()
        assert.deepEqual(await entries.next(), { value: ['a', 1], done: false })
        assert.deepEqual(await entries.return(), { value: undefined, done: true })
      }),
    )
  })
}

test('in a cluster', async () => {
  const cluster = await startCluster()
  const service = new RedisService({ url: cluster.url, log: false })
  const [plain, clearable] = [false, true].map((clearable) => new ApiCache(service, { prefix: `p${clearable}:`, clearable })) // prettier-ignore
  for (const cache of [plain, clearable]) {
    const keys = Array.from({ length: 50 }, (_, n) => `k${n}`)
    const options = { tags: ['t'], staleWhileRevalidate: 60 }
    for (const key of keys) await cache.set(key, key, options)
    const found = []
    for await (const [key, value] of cache.entries()) found.push(key === value && key)
    assert.deepEqual(found.sort(), keys.toSorted())
    await cache.expireByTag('t')
    for (const key of keys) assert.equal((await cache.lookup(key, down, options)).source, 'stale')
    await cache.set('again', 1)
    await cache.clear()
    assert.deepEqual(new Set(await cache.getMany([...keys, 'again'])), new Set([null]))
    assert.equal((await cache.lookup('k0', () => 1, options)).source, 'load')
  }
  await service.disconnect()
  await cluster.close()
})
