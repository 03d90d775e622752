// How long values are there: whether they are, for how much longer, for ever, and several of them removed.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ApiCache, RedisService } from 'cinnabar'

import { deferred, refuses } from '../helpers.mjs'
import { engines, withCacheOn } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`the time of a cached value, on ${engine.name}`, () => {
    const withCache = (run, options) =>
      withCacheOn(engine)((cache, service, client) => run(cache, client, service), options)
    const isAbout = (actual, seconds) =>
      assert.ok(actual > seconds - 10 && actual <= seconds, `${actual} of ${seconds}`)

    test(
      'is what is left of it while it is fresh',
      withCache(async (cache, client) => {
        assert.deepEqual([await cache.ttl('a'), await cache.has('a')], [null, false])
        await cache.set('a', 1, { ttl: 100 })
        isAbout(await cache.ttl('a'), 100)
        await cache.set('null', null, { tags: ['t'] })
        isAbout(await cache.ttl('null'), 300)
        assert.deepEqual([await cache.has('null'), await cache.has('a')], [true, true])
        await cache.invalidateByTag('t')
        assert.deepEqual([await cache.ttl('null'), await cache.has('null')], [null, false])
        // Fresh for 50 s, stale for 30 and in its grace for 20.
        await cache.set('b', 1, { ttl: 50, staleWhileRevalidate: 30, staleIfError: 20 })
        isAbout(await cache.ttl('b'), 50)
        await client.pExpire('api:b', 45_000)
        assert.deepEqual([await cache.ttl('b'), await cache.has('b')], [null, false])
        // Of another program.
        await client.set('api:foreign', '1')
        assert.deepEqual([await cache.ttl('foreign'), await cache.has('foreign')], [Infinity, true])
        const { hits, misses, errors } = cache.stats()
        assert.deepEqual([hits, misses, errors], [0, 0, 0])
      }),
    )

    test(
      'may be without an end',
      withCache(
        async (cache, client) => {
          const century = 100 * 365.25 * 24 * 3600
          await cache.set('default', 1)
          await cache.set('own', 1, { ttl: Infinity, tags: ['t'] })
          await cache.setMany([{ key: 'many', value: 1, ttl: Infinity }])
          await cache.getOrSet('loaded', () => 1, { ttl: Infinity, staleIfError: 60 })
          await cache.getOrSet('said', (key, load) => (load.setTtl(Infinity), 1), { ttl: 5 })
          for (const key of ['default', 'own', 'many', 'loaded', 'said']) {
            assert.equal(await cache.get(key), 1, key)
            isAbout(await cache.ttl(key), century)
          }
          assert.ok((await client.pTTL('api:own')) > 0)
          for (const ttl of [-Infinity, NaN, 0, 4e9])
            await refuses(cache.set('a', 1, { ttl }), 'E_INVALID_ARGUMENT', /ttl/)
        },
        { ttl: Infinity },
      ),
    )

    test(
      'ends for several values at once, and for what is being loaded',
      withCache(async (cache) => {
        await cache.setMany(['a', 'b', 'c'].map((key) => ({ key, value: key })))
        const [started, going] = [deferred(), deferred()]
        const loading = cache.getOrSet('d', async () => (started.resolve(), await going.promise, 'old'))
        await started.promise
        assert.equal(await cache.deleteMany(['a', 'b', 'unknown', 'd', 'a']), 2)
        going.resolve()
        assert.equal(await loading, 'old')
        assert.deepEqual(await cache.getMany(['a', 'b', 'c', 'd']), [null, null, 'c', null])
        assert.equal(await cache.deleteMany([]), 0)
        for (const wrong of ['a', [1], null, undefined, {}])
          await refuses(cache.deleteMany(wrong), 'E_INVALID_ARGUMENT', /keys/)
      }),
    )

    test(
      'ends near too, at once',
      withCache(
        async (cache) => {
          await cache.setMany(['a', 'b'].map((key) => ({ key, value: key })))
          while (cache.peek('a') === undefined || cache.peek('b') === undefined) await cache.getMany(['a', 'b'])
          await cache.deleteMany(['a', 'b'])
          assert.deepEqual([cache.peek('a'), cache.peek('b')], [undefined, undefined])
        },
        { near: true },
      ),
    )
  })
}

test('without a server there is no value, and nothing is removed', async () => {
  const service = new RedisService({ url: 'redis://127.0.0.1:1', connectWaitMs: 20, log: false })
  const cache = new ApiCache(service)
  assert.deepEqual([await cache.has('a'), await cache.ttl('a')], [false, null])
  assert.equal(cache.stats().errors, 2)
  await refuses(cache.deleteMany(['a']), 'E_UNAVAILABLE')
  await refuses(new ApiCache(service, { onUnavailable: 'throw', prefix: 'strict:' }).has('a'), 'E_UNAVAILABLE')
  await service.disconnect()
})
