// What a load may know of its value, and say about it.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ApiCache, RedisService } from 'cinnabar'

import { deferred, rawClient, refuses, until } from '../helpers.mjs'
import { engines, withCacheOn } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`the second argument of a load, on ${engine.name}`, () => {
    const withCache = withCacheOn(engine)
    const none = () => assert.fail('it is cached')

    test(
      'sets the ttl of its value, whatever its callers asked for',
      withCache(async (cache, service, client) => {
        await cache.getOrSet('a', (key, load) => (load.setTtl(7), null), { ttl: 600 })
        assert.ok((await client.pTTL('api:a')) <= 7000)
        assert.equal(await cache.getOrSet('a', none), null)
        await cache.getOrSet('b', (key, load) => (load.setTtl(900), 1), { ttl: 60, staleIfError: 100 })
        const left = await client.pTTL('api:b')
        assert.ok(left > 960_000 && left <= 1_000_000, `${left}`)
        for (const wrong of [0, -1, NaN, '5', undefined, null]) {
          const load = (key, context) => context.setTtl(wrong)
          await refuses(cache.getOrSet('wrong', load), 'E_INVALID_ARGUMENT', /^ttl must be a number of seconds/)
        }
      }),
    )

    test(
      'keeps its value out of the store',
      withCache(async (cache) => {
        const [first, second] = await Promise.all(
          ['own', 'joined'].map(() => cache.getOrSet('a', (key, load) => (load.skip(), [key]))),
        )
        assert.deepEqual([first, second], [['a'], ['a']])
        assert.equal(await cache.get('a'), null)
        assert.equal(await cache.getOrSet('a', () => 'stored'), 'stored')
        assert.equal(await cache.getOrSet('a', none), 'stored')
      }),
    )

    test(
      'has the stale value that is to be replaced, each time as a copy',
      withCache(async (cache, service) => {
        const options = { ttl: 10, staleIfError: 100 }
        assert.deepEqual(await cache.getOrSet('a', async (key, load) => [await load.stale()], options), [null])
        await cache.set('a', { etag: 'x', list: [1] }, options)
        await ages(service, 'api:a', 20, 110)
        const renewed = await cache.lookup(
          'a',
          async (key, load) => {
            const mine = await load.stale()
            mine.list.push(2)
            return load.stale()
          },
          options,
        )
        assert.deepEqual(renewed, { value: { etag: 'x', list: [1] }, source: 'load' })
        assert.deepEqual(await cache.getOrSet('a', none, options), { etag: 'x', list: [1] })
      }),
    )

    const ages = async (service, key, seconds, total) => {
      if (engine.advance) engine.advance(service, seconds * 1000)
      else await (await rawClient(service)).pExpire(key, (total - seconds) * 1000)
    }

    test(
      'adds tags, whose invalidation wins from then on',
      withCache(async (cache) => {
        const load = async (key, load) => {
          await load.addTags(['user:7', 'org:1'])
          return { of: key }
        }
        await cache.getOrSet('a', load, { tags: ['all'] })
        await cache.getOrSet('b', load)
        assert.deepEqual(await cache.getOrSet('a', none), { of: 'a' })
        await cache.invalidateByTag('user:7')
        assert.deepEqual(await cache.getMany(['a', 'b']), [null, null])

        // Between the tag and the end of the load.
        const [tagged, going] = [deferred(), deferred()]
        const loading = cache.getOrSet('c', async (key, load) => {
          await load.addTags(['user:7'])
          tagged.resolve()
          await going.promise
          return 'old'
        })
        await tagged.promise
        await cache.invalidateByTag('user:7')
        going.resolve()
        assert.equal(await loading, 'old')
        assert.equal(await cache.get('c'), null)
      }),
    )

    test(
      'adds tags for all that share the load, and no more than a value may have',
      withCache(async (cache) => {
        const many = Array.from({ length: 127 }, (_, number) => `${number}`)
        const going = deferred()
        const load = async (key, load) => {
          await load.addTags(Array(200).fill('last'))
          await refuses(load.addTags(['too', 'many']), 'E_INVALID_ARGUMENT', /128 tags/)
          for (const wrong of ['tag', [1], null, undefined])
            await refuses(load.addTags(wrong), 'E_INVALID_ARGUMENT', /^tags(\[0\])? must be a/)
          await going.promise
          return 1
        }
        const both = [cache.getOrSet('a', load, { tags: many }), cache.getOrSet('a', none, { tags: ['0'] })]
        going.resolve()
        assert.deepEqual(await Promise.all(both), [1, 1])
        assert.equal(await cache.getOrSet('a', none, { tags: many }), 1)
        await cache.invalidateByTag('last')
        assert.equal(await cache.get('a'), null)
      }),
    )

    test(
      'aborts when the load has taken too long, and not before',
      withCache(
        async (cache) => {
          const aborted = deferred()
          const fetchLike = (key, { signal }) =>
            new Promise((resolve, reject) => {
              signal.addEventListener('abort', () => (aborted.resolve(signal.reason), reject(signal.reason)))
            })
          await refuses(cache.getOrSet('a', fetchLike), 'E_TIMEOUT')
          assert.equal((await aborted.promise).code, 'E_TIMEOUT')
          let kept
          assert.equal(await cache.getOrSet('b', (key, { signal }) => ((kept = signal), 1)), 1)
          // By then a load that began later has taken too long.
          await refuses(cache.getOrSet('c', fetchLike), 'E_TIMEOUT')
          assert.equal(kept.aborted, false)
        },
        { loadTimeoutMs: 100 },
      ),
    )

    test(
      'goes on with a caller that gives up',
      withCache(async (cache) => {
        const [started, going] = [deferred(), deferred()]
        let signal
        const load = async (key, context) => {
          signal = context.signal
          started.resolve()
          await going.promise
          return 'late'
        }
        await refuses(cache.with({ timeoutMs: 20 }).getOrSet('a', load), 'E_TIMEOUT')
        await started.promise
        assert.equal(signal.aborted, false)
        going.resolve()
        await until('it is stored', async () => (await cache.get('a')) === 'late')
      }),
    )

    test(
      'is there for a load that runs within a load of the same key',
      withCache(async (cache) => {
        const says = async (load) => {
          load.setTtl(5)
          await load.addTags(['t'])
          return load.stale()
        }
        const value = await cache.getOrSet('a', async (key, load) => {
          await says(load)
          const inner = await cache.getOrSet('a', async (key, load) => [
            (await says(load)) ?? 'inner',
            load.signal.aborted,
          ])
          return [inner]
        })
        assert.deepEqual(value, [['inner', false]])
        assert.ok((await cache.ttl('a')) <= 5)
      }),
    )

    test(
      'is there for loads that all processes share',
      withCache(
        async (cache) => {
          const load = async (key, load) => {
            await load.addTags(['t'])
            load.setTtl(60)
            return 1
          }
          assert.equal((await cache.lookup('a', load)).source, 'load')
          assert.equal((await cache.lookup('a', none)).source, 'hit')
          await cache.invalidateByTag('t')
          assert.equal(await cache.get('a'), null)
        },
        { sharedLoads: true },
      ),
    )
  })
}

test('a load without a server has a context too', async () => {
  const service = new RedisService({ url: 'redis://127.0.0.1:1', connectWaitMs: 20, log: false })
  const cache = new ApiCache(service)
  const value = await cache.getOrSet('a', async (key, load) => {
    load.setTtl(5)
    await load.addTags(['t'])
    return [await load.stale(), load.signal.aborted]
  })
  assert.deepEqual(value, [null, false])
  await service.disconnect()
})
