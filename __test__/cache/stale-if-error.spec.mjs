import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { deferred, rawClient, refuses } from '../helpers.mjs'
import { engines, withCacheOn } from '../support/engines.mjs'

const down = () => Promise.reject(new Error('the source is down'))

for (const engine of engines) {
  describe(`a stale value whose source is down, on ${engine.name}`, () => {
    const withCache = withCacheOn(engine)
    /** Stores a value, and lets `seconds` of its 10 fresh, 20 stale and 30 further ones pass. */
    const aged = async (cache, service, seconds, options = { staleWhileRevalidate: 20 }) => {
      const entry = { ttl: 10, staleIfError: 30, ...options }
      const total = 10 + 30 + (options.staleWhileRevalidate ?? 0)
      await cache.set('a', 'old', entry)
      if (engine.advance) engine.advance(service, seconds * 1000)
      else await (await rawClient(service)).pExpire('api:a', (total - seconds) * 1000)
      return entry
    }

    test(
      'is returned, and its source is asked once a second at first',
      withCache(async (cache, service) => {
        const entry = await aged(cache, service, 35)
        let loads = 0
        const load = () => (loads++, down())
        for (let call = 0; call < 20; call++) {
          assert.deepEqual(await cache.lookup('a', load, entry), { value: 'old', source: 'stale' })
        }
        assert.equal(loads, 1)
        const { staleHits, errors, hits } = cache.stats()
        assert.deepEqual([staleHits, errors, hits], [20, 1, 0])
        assert.equal(await cache.get('a'), null, 'other reads do not find it')
      }),
    )

    test(
      'is replaced once its source works, and its callers wait for that',
      withCache(async (cache, service) => {
        const entry = await aged(cache, service, 35)
        const gate = deferred()
        const all = Array.from({ length: 5 }, () => cache.lookup('a', () => gate.promise, entry))
        gate.resolve('new')
        assert.deepEqual(await Promise.all(all), Array(5).fill({ value: 'new', source: 'load' }))
        assert.equal(await cache.get('a'), 'new')
      }),
    )

    test(
      'is returned if the load takes too long',
      withCache(
        async (cache, service) => {
          const entry = await aged(cache, service, 35)
          const began = performance.now()
          const value = await cache.getOrSet('a', () => new Promise(() => {}), entry)
          assert.deepEqual([value, performance.now() - began < 2000], ['old', true])
        },
        { loadTimeoutMs: 300 },
      ),
    )

    test(
      'is first returned while a new one is loaded, if that was asked for',
      withCache(async (cache, service) => {
        const entry = await aged(cache, service, 15)
        const gate = deferred()
        assert.equal(await cache.getOrSet('a', () => gate.promise, entry), 'old')
        gate.resolve('new')
      }),
    )

    test(
      'is nothing once its time is over, nor for a caller who has left',
      withCache(async (cache, service) => {
        const entry = await aged(cache, service, 35, {})
        const controller = new AbortController()
        const left = cache.getOrSet('a', () => new Promise(() => {}), { ...entry, signal: controller.signal })
        controller.abort()
        await refuses(left, 'E_ABORTED')
        await cache.invalidate('a')
        await assert.rejects(cache.getOrSet('a', down, entry), /the source is down/)
      }),
    )

    test(
      'is fresh before, with tags too, and stored as before without the option',
      withCache(async (cache, service) => {
        const entry = await aged(cache, service, 5)
        assert.deepEqual(await cache.lookup('a', down, entry), { value: 'old', source: 'hit' })
        await cache.set('b', 'old', { ttl: 10, staleIfError: 30, tags: ['t'] })
        assert.equal(await cache.get('b'), 'old')
        await cache.invalidateByTag('t')
        await assert.rejects(cache.getOrSet('b', down, { staleIfError: 30 }), /the source is down/)
        await refuses(
          cache.getOrSet('c', () => 1, { staleIfError: -1 }),
          'E_INVALID_ARGUMENT',
          /staleIfError/,
        )
      }),
    )
  })
}
