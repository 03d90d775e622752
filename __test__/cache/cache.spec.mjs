import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'

import { ApiCache, RedisService } from 'cinnabar'

import { deferred, refuses, until } from '../helpers.mjs'
import { engines, freePort, withCacheOn } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`the cache on ${engine.name}`, () => {
    const withCache = (run, options) =>
      withCacheOn(engine)((cache, service, client) => run(cache, client, service), options)

    test(
      'keeps any JSON value, as plain JSON, for 300 s',
      withCache(async (cache, client) => {
        const values = [
          { a: [1, { b: null }] },
          [],
          {},
          'text',
          '',
          0,
          -1.5,
          true,
          false,
          null,
          'ü\u0000\u{1f980}',
          [null],
        ]
        for (const [i, value] of values.entries()) {
          assert.equal(await cache.set(`k${i}`, value), undefined)
          assert.equal(await client.get(`api:k${i}`), JSON.stringify(value))
          assert.deepEqual(await cache.get(`k${i}`), value)
          const ttl = await client.ttl(`api:k${i}`)
          assert.ok(ttl > 295 && ttl <= 300)
        }
        assert.equal(await cache.get('none'), null)
        await cache.set('short', 1, { ttl: 50 })
        assert.ok((await client.ttl('api:short')) <= 50)
      }),
    )

    test(
      'reads what another client wrote',
      withCache(async (cache, client) => {
        await client.set('api:foreign', ' {"a": [1, 2]} ', { EX: 100 })
        assert.deepEqual(await cache.get('foreign'), { a: [1, 2] })
        await client.set('api:broken', 'no json', { EX: 100 })
        await refuses(cache.get('broken'), 'E_INVALID_DATA')
      }),
    )

    test(
      'gives every reader a copy of their own',
      withCache(async (cache) => {
        await cache.set('k', { list: [] })
        const [a, b] = await Promise.all([cache.get('k'), cache.get('k')])
        a.list.push(1)
        assert.deepEqual(b, { list: [] })
        assert.deepEqual(await cache.get('k'), { list: [] })
      }),
    )

    test(
      'says where a value comes from',
      withCache(async (cache, client, service) => {
        const load = () => 'new'
        assert.deepEqual(await cache.lookup('a', load), { value: 'new', source: 'load' })
        assert.deepEqual(await cache.lookup('a', load), { value: 'new', source: 'hit' })
        await cache.set('b', 'old', { ttl: 60, staleWhileRevalidate: 60 })
        if (engine.advance) engine.advance(service, 61_000)
        else await client.pExpire('api:b', 59_000)
        assert.deepEqual(await cache.lookup('b', load), { value: 'old', source: 'stale' })
        await until('it is loaded', async () => (await cache.lookup('b', load)).source === 'hit')
        assert.equal(await cache.get('b'), 'new')
        await refuses(cache.lookup('c'), 'E_INVALID_ARGUMENT', /load/)
      }),
    )

    test(
      'drops a value',
      withCache(async (cache) => {
        await cache.set('k', 1)
        assert.equal(await cache.invalidate('k'), 1)
        assert.equal(await cache.invalidate('k'), 0)
        assert.equal(await cache.get('k'), null)
      }),
    )

    test(
      'the documented names do the same',
      withCache(async (cache, client) => {
        await cache.setCachedResponse('users', [{ id: 1 }])
        assert.deepEqual(await cache.getCachedResponse('users'), [{ id: 1 }])
        assert.ok((await client.ttl('api:users')) > 295)
        await cache.setCachedResponse('users', [], 50)
        assert.ok((await client.ttl('api:users')) <= 50)
        assert.equal(await cache.invalidateCache('users'), 1)
        assert.equal(await cache.getCachedResponse('users'), null)
      }),
    )

    test(
      'names an endpoint with its parameters',
      withCache(async (cache, client) => {
        const key = cache.keyFor('/users', { page: 1, sort: 'name' })
        assert.match(key, /^cache:\/users:[0-9a-f]{8,}$/)
        assert.equal(cache.keyFor('/users', { sort: 'name', page: 1 }), key)
        assert.equal(ApiCache.keyFor('/users', { page: 1, sort: 'name' }), key)
        const others = [
          cache.keyFor('/users', { page: 2, sort: 'name' }),
          cache.keyFor('/users', { page: '1', sort: 'name' }),
          cache.keyFor('/users', {}),
          cache.keyFor('/users', { page: 1 }),
          cache.keyFor('/user', { page: 1, sort: 'name' }),
          cache.keyFor('/users', { filter: { b: 1, a: 2 } }),
          cache.keyFor('/users', { filter: { b: 2, a: 1 } }),
        ]
        assert.equal(new Set([key, ...others]).size, others.length + 1)
        assert.equal(cache.keyFor('/users', { filter: { a: 2, b: 1 } }), others[5])
        assert.equal(cache.keyFor('/users'), cache.keyFor('/users', {}))
        await cache.set(key, 1)
        assert.equal(await client.exists(`api:${key}`), 1)
        for (const bad of ['', undefined, 42, null]) {
          assert.throws(() => cache.keyFor(bad, {}), { code: 'E_INVALID_ARGUMENT' })
        }
      }),
    )

    test(
      'reads and writes many at once',
      withCache(async (cache, client) => {
        await cache.setMany([
          { key: 'a', value: 1 },
          { key: 'b', value: { x: [] }, ttl: 50 },
          { key: 'c', value: 'tagged', tags: ['t'] },
        ])
        assert.deepEqual(await cache.getMany(['a', 'none', 'b', 'c', 'a']), [1, null, { x: [] }, 'tagged', 1])
        assert.ok((await client.ttl('api:b')) <= 50)
        await cache.invalidateByTag('t')
        assert.deepEqual(await cache.getMany(['a', 'c']), [1, null])
        assert.deepEqual(await cache.getMany([]), [])
        await cache.setMany([])
        const many = Array.from({ length: 1000 }, (_, i) => ({ key: `m${i}`, value: i }))
        await cache.setMany(many)
        assert.deepEqual(
          await cache.getMany(many.map(({ key }) => key)),
          many.map(({ value }) => value),
        )
      }),
    )

    test(
      'invalidates by tag, whatever the number of values',
      withCache(async (cache) => {
        await cache.set('u1', 1, { tags: ['users', 'u:1'] })
        await cache.set('u2', 2, { tags: ['users', 'u:2'] })
        await cache.set('p1', 3, { tags: ['posts'] })
        await cache.set('plain', 4)
        await cache.invalidateByTag('u:1')
        assert.deepEqual(await cache.getMany(['u1', 'u2', 'p1', 'plain']), [null, 2, 3, 4])
        await cache.invalidateByTag('users')
        assert.deepEqual(await cache.getMany(['u1', 'u2', 'p1', 'plain']), [null, null, 3, 4])
        await cache.set('u2', 5, { tags: ['users'] })
        assert.equal(await cache.get('u2'), 5)
        await cache.invalidateByTag('unknown')
        assert.deepEqual(await cache.getMany(['u2', 'p1']), [5, 3])
      }),
    )

    test(
      'invalidates by pattern',
      withCache(async (cache) => {
        const entries = Array.from({ length: 300 }, (_, i) => ({ key: `user:${i}`, value: i }))
        await cache.setMany([...entries, { key: 'users', value: 1 }, { key: 'post:1', value: 2 }])
        assert.equal(await cache.invalidateByPattern('user:1?'), 10)
        assert.equal(await cache.get('user:12'), null)
        assert.equal(await cache.get('user:120'), 120)
        assert.equal(await cache.invalidateByPattern('user:*'), 290)
        assert.deepEqual(await cache.getMany(['user:120', 'users', 'post:1']), [null, 1, 2])
        assert.equal(await cache.invalidateByPattern('none:*'), 0)
      }),
    )

    test(
      'a pattern stays within the prefix of its cache',
      withCache(async (cache, client, service) => {
        const other = new ApiCache(service, { prefix: 'other:' })
        await cache.set('k', 1)
        await other.set('k', 2)
        await service.set('raw', 'x')
        await cache.invalidateByPattern('*')
        assert.equal(await cache.get('k'), null)
        assert.equal(await other.get('k'), 2)
        assert.equal(await service.get('raw'), 'x')
      }),
    )

    test(
      'getOrSet loads what is missing, once, and keeps it',
      withCache(async (cache, client) => {
        let loads = 0
        const load = (key) => {
          loads++
          return { key, list: [] }
        }
        assert.deepEqual(await cache.getOrSet('k', load), { key: 'k', list: [] })
        assert.deepEqual(await cache.getOrSet('k', load), { key: 'k', list: [] })
        assert.equal(loads, 1)
        assert.equal(await client.get('api:k'), '{"key":"k","list":[]}')
        assert.ok((await client.ttl('api:k')) > 295)
        await cache.getOrSet('short', async () => 1, { ttl: 50 })
        assert.ok((await client.ttl('api:short')) <= 50)
        await cache.getOrSet('tagged', async () => 1, { tags: ['t'] })
        await cache.invalidateByTag('t')
        assert.equal(await cache.get('tagged'), null)
      }),
    )

    test(
      '1,000 callers of one key share one load',
      withCache(async (cache, _client, service) => {
        const gate = deferred()
        let loads = 0
        const load = async () => {
          loads++
          return gate.promise
        }
        const twin = new ApiCache(service)
        const callers = Array.from({ length: 1000 }, (_, i) => (i % 2 ? cache : twin).getOrSet('k', load))
        await until('the load has begun', () => loads > 0)
        const late = Array.from({ length: 100 }, () => cache.getOrSet('k', load))
        gate.resolve({ n: 1 })
        for (const value of await Promise.all([...callers, ...late])) assert.deepEqual(value, { n: 1 })
        assert.equal(loads, 1)
      }),
    )

    test(
      'a herd that comes in waves still loads once',
      withCache(async (cache) => {
        let loads = 0
        const load = async () => ++loads
        const waves = []
        for (let wave = 0; wave < 50; wave++) {
          for (let i = 0; i < 20; i++) waves.push(cache.getOrSet('k', load))
          await new Promise(setImmediate)
        }
        assert.deepEqual(new Set(await Promise.all(waves)), new Set([1]))
        assert.equal(loads, 1)
      }),
    )

    test(
      'a failing load reaches everyone who waits, and nothing is kept',
      withCache(async (cache, client) => {
        const gate = deferred()
        let loading = false
        const callers = Array.from({ length: 10 }, () => cache.getOrSet('k', () => ((loading = true), gate.promise)))
        const settled = Promise.allSettled(callers)
        await until('the load has begun', () => loading)
        const failure = new Error('the database is down')
        gate.reject(failure)
        for (const { status, reason } of await settled) {
          assert.equal(status, 'rejected')
          assert.equal(reason, failure)
        }
        assert.equal(await client.exists('api:k'), 0)
        assert.equal(await cache.getOrSet('k', () => 'again'), 'again')
        await assert.rejects(
          cache.getOrSet('thrown', () => {
            throw failure
          }),
          failure,
        )
      }),
    )

    test(
      'null is kept, undefined is not',
      withCache(async (cache) => {
        let loads = 0
        for (let i = 0; i < 3; i++) assert.equal(await cache.getOrSet('null', () => (loads++, null)), null)
        assert.equal(loads, 1)
        loads = 0
        for (let i = 0; i < 3; i++) assert.equal(await cache.getOrSet('undefined', () => void loads++), undefined)
        assert.equal(loads, 3)
      }),
    )

    for (const [what, options, change] of [
      ['its key is invalidated', {}, (cache) => cache.invalidate('k')],
      ['its tag is invalidated', { tags: ['t'] }, (cache) => cache.invalidateByTag('t')],
      ['its pattern is invalidated', {}, (cache) => cache.invalidateByPattern('k*')],
      ['its key is set', {}, (cache) => cache.set('k', 'set')],
      ['its key is set among many', {}, (cache) => cache.setMany([{ key: 'k', value: 'set' }])],
      ['its key is set with a tag', { tags: ['t'] }, (cache) => cache.set('k', 'set', { tags: ['t'] })],
    ]) {
      test(
        `a load during which ${what} never fills the cache`,
        withCache(async (cache, _client, service) => {
          // Through the same object, another one of the same service, and as another process does it.
          const others = [cache, new ApiCache(service), 'foreign']
          for (const other of others) {
            const gate = deferred()
            let loading = false
            const old = cache.getOrSet('k', () => ((loading = true), gate.promise), options)
            await until('the load has begun', () => loading)
            await change(other === 'foreign' ? await stranger(engine, service) : other)
            const expected = what.includes(' set') ? 'set' : null
            const next = expected === null ? cache.getOrSet('k', () => 'new', options) : cache.get('k')
            assert.equal(await next, expected ?? 'new')
            gate.resolve('old')
            assert.equal(await old, 'old')
            await next
            assert.notEqual(await cache.get('k'), 'old', `through ${other === cache ? 'the same object' : other}`)
            await cache.invalidate('k')
          }
        }),
      )
    }

    test(
      'an invalidation of one tag leaves a load with another tag alone',
      withCache(async (cache) => {
        const gate = deferred()
        let loading = false
        const pending = cache.getOrSet('k', () => ((loading = true), gate.promise), { tags: ['a'] })
        await until('the load has begun', () => loading)
        await cache.invalidateByTag('b')
        gate.resolve('kept')
        await pending
        assert.equal(await cache.get('k'), 'kept')
      }),
    )

    test(
      'refuses before it loads what it could not keep',
      withCache(async (cache, client) => {
        let loads = 0
        const load = () => ++loads
        for (const options of [
          { ttl: 0 },
          { ttl: -1 },
          { ttl: NaN },
          { ttl: -Infinity },
          { ttl: '60' },
          { tags: 't' },
          { tags: [1] },
          { staleWhileRevalidate: -1 },
          { ttll: 60 },
          'ttl',
          null,
        ]) {
          await refuses(cache.getOrSet('k', load, options), 'E_INVALID_ARGUMENT')
          await refuses(cache.set('k', 1, options), 'E_INVALID_ARGUMENT')
        }
        for (const key of [undefined, null, 42, {}, Symbol('x')]) {
          await refuses(cache.getOrSet(key, load), 'E_INVALID_ARGUMENT')
          await refuses(cache.get(key), 'E_INVALID_ARGUMENT')
          await refuses(cache.set(key, 1), 'E_INVALID_ARGUMENT')
        }
        await refuses(cache.getOrSet('k', 'no function'), 'E_INVALID_ARGUMENT', /load must be a function/)
        assert.equal(loads, 0)
        const cyclic = {}
        cyclic.self = cyclic
        for (const value of [undefined, cyclic, 1n, () => 1, Symbol('x'), { n: 1n }]) {
          await refuses(cache.set('k', value), 'E_INVALID_ARGUMENT')
        }
        await refuses(
          cache.getOrSet('k', () => cyclic),
          'E_INVALID_ARGUMENT',
        )
        await refuses(
          cache.setMany([
            { key: 'a', value: 1 },
            { key: 'b', value: cyclic },
          ]),
          'E_INVALID_ARGUMENT',
        )
        await refuses(cache.setMany('a'), 'E_INVALID_ARGUMENT')
        await refuses(
          cache.setMany([{ key: 'a', value: 1, tll: 3 }]),
          'E_INVALID_ARGUMENT',
          /did you mean "entries\[0\]\.ttl"/,
        )
        await refuses(cache.getMany('a'), 'E_INVALID_ARGUMENT')
        await refuses(cache.invalidateByTag(42), 'E_INVALID_ARGUMENT')
        assert.equal(await client.dbSize(), 0)
      }),
    )

    test(
      'keeps what is known about images',
      withCache(async (cache, client) => {
        const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(92)])
        const info = await cache.setImageInfo('pictures/a.jpg', png)
        const hash = createHash('sha256').update(png).digest('hex')
        assert.deepEqual({ ...info, timestamp: 0 }, { size: 100, type: 'image/png', hash, timestamp: 0 })
        assert.ok(Math.abs(info.timestamp - Date.now()) < 60_000)
        assert.deepEqual(await cache.getImageInfo('pictures/a.jpg'), info)
        const key = 'api:image:pictures/a.jpg'
        assert.equal(await client.exists(key), 1)
        const given = { size: 1, type: 'image/gif', hash: 'x', timestamp: 7 }
        assert.deepEqual(await cache.setImageInfo('b', given, { ttl: 50 }), given)
        assert.deepEqual(await cache.getImageInfo('b'), given)
        assert.equal((await cache.setImageInfo('c.svg', new TextEncoder().encode('<svg/>'))).type, 'image/svg+xml')
        assert.equal(await cache.invalidateImage('b'), 1)
        assert.equal(await cache.getImageInfo('b'), null)
        const noInfo = [{}, { size: 1 }, { ...given, size: '1' }, { ...given, size: -1 }, { ...given, type: undefined }]
        const noTime = { ...given, timestamp: new Date() }
        for (const bad of ['text', 42, null, undefined, [], new Date(), ...noInfo, noTime])
          await refuses(cache.setImageInfo('d', bad), 'E_INVALID_ARGUMENT')
        assert.equal(await cache.getImageInfo('d'), null)
        for (const bad of [undefined, 42, null]) await refuses(cache.getImageInfo(bad), 'E_INVALID_ARGUMENT')
      }),
    )

    test(
      'counts hits and misses',
      withCache(async (cache) => {
        await cache.set('k', 1)
        await cache.get('k')
        await cache.get('k')
        await cache.get('none')
        await cache.getOrSet('k', () => 2)
        const { hits, misses, errors } = cache.stats()
        assert.deepEqual({ hits, misses, errors }, { hits: 3, misses: 1, errors: 0 })
      }),
    )

    test(
      'keeps to its prefix and its life',
      withCache(
        async (cache, client) => {
          await cache.set('k', 1)
          const ttl = await client.ttl('mine:k')
          assert.ok(ttl > 55 && ttl <= 60)
        },
        { prefix: 'mine:', ttl: 60 },
      ),
    )

    test(
      'every key it leaves behind has an end',
      withCache(async (cache, client) => {
        await cache.set('a', 1)
        await cache.set('b', 1, { tags: ['t'] })
        await cache.set('c', 1, { staleWhileRevalidate: 100, ttl: 10 })
        await cache.getOrSet('d', () => 1, { tags: ['t', 'u'] })
        await cache.invalidateByTag('t')
        await cache.invalidate('a')
        await cache.getOrSet('a', () => 2)
        const { keys } = await client.scan(0, { COUNT: 1000 })
        assert.ok(keys.length >= 3)
        for (const key of keys) assert.ok((await client.pTTL(key)) > 0, `${key} lives for ever`)
      }),
    )

    test('refuses bad options of its own', async () => {
      const service = await engine.makeService()
      for (const options of [{ prefx: 'a' }, { ttl: 0 }, { ttl: NaN }, { prefix: 42 }, 'x', null]) {
        assert.throws(() => new ApiCache(service, options), { code: 'E_INVALID_ARGUMENT' })
      }
      assert.throws(() => new ApiCache({}), { code: 'E_INVALID_ARGUMENT' })
      await service.disconnect()
    })
  })
}

/** A cache on the same data that shares no object with `service`'s, as one of another process would be. */
async function stranger(engine, service) {
  if (engine.kind === 'redis') return new ApiCache(new RedisService({ url: engine.server.url, poolSize: 1 }))
  return new ApiCache(service)
}

const [memory] = engines

describe('the cache as time passes', () => {
  test('a value ends with its life', async () => {
    const service = await memory.makeService()
    const cache = new ApiCache(service)
    await cache.set('plain', 1, { ttl: 60 })
    await cache.set('tagged', 2, { ttl: 60, tags: ['t'] })
    await memory.advance(service, 59_000)
    assert.deepEqual(await cache.getMany(['plain', 'tagged']), [1, 2])
    await memory.advance(service, 1_001)
    assert.deepEqual(await cache.getMany(['plain', 'tagged']), [null, null])
    await service.disconnect()
  })

  test('returns a stale value at once and refreshes it in the background', async () => {
    const service = await memory.makeService()
    const cache = new ApiCache(service)
    const options = { ttl: 60, staleWhileRevalidate: 600 }
    assert.equal(await cache.getOrSet('k', () => 'old', options), 'old')
    await memory.advance(service, 61_000)
    const gate = deferred()
    let loads = 0
    const load = () => (loads++, gate.promise)
    const results = await Promise.all(Array.from({ length: 100 }, () => cache.getOrSet('k', load, options)))
    assert.deepEqual(new Set(results), new Set(['old']))
    await until('a new value is loaded', () => loads === 1)
    gate.resolve('new')
    await until('the new value is there', async () => (await cache.getOrSet('k', load, options)) === 'new')
    assert.equal(loads, 1)
    await memory.advance(service, 700_000)
    assert.equal(await cache.getOrSet('k', () => 'newest', options), 'newest')
    await service.disconnect()
  })

  test('a failing renewal only counts, and the key rests before it is tried again', async () => {
    const service = await memory.makeService()
    const cache = new ApiCache(service)
    const options = { ttl: 60, staleWhileRevalidate: 600 }
    await cache.getOrSet('k', () => 'old', options)
    await memory.advance(service, 61_000)
    const unhandled = []
    const listen = (reason) => unhandled.push(reason)
    process.on('unhandledRejection', listen)
    let loads = 0
    const failing = () => (loads++, Promise.reject(new Error('down')))
    const began = performance.now()
    while (loads < 2) {
      assert.equal(await cache.getOrSet('k', failing, options), 'old')
      await new Promise(setImmediate)
    }
    const rested = performance.now() - began
    assert.ok(rested >= 999, `it rested for ${rested} ms`)
    await until('both failures are counted', () => cache.stats().errors === 2)
    process.off('unhandledRejection', listen)
    assert.deepEqual(unhandled, [])
    const { hits, misses, staleHits } = cache.stats()
    assert.deepEqual([hits, misses, staleHits > 2], [0, 1, true])
    await until('it is tried again', async () => (await cache.getOrSet('k', () => 'new', options)) === 'new')
    assert.ok(performance.now() - began >= rested + 1999, 'the second rest is twice as long')
    await service.disconnect()
  })

  test('never returns an invalidated value as stale', async () => {
    const service = await memory.makeService()
    const cache = new ApiCache(service)
    const options = { ttl: 60, staleWhileRevalidate: 600, tags: ['t'] }
    for (const invalidate of [() => cache.invalidate('k'), () => cache.invalidateByTag('t')]) {
      await cache.set('k', 'old', options)
      await memory.advance(service, 61_000)
      await invalidate()
      assert.equal(await cache.getOrSet('k', () => 'new', options), 'new')
    }
    await service.disconnect()
  })

  test('an invalidation during the renewal of a stale value wins', async () => {
    const service = await memory.makeService()
    const cache = new ApiCache(service)
    const options = { ttl: 60, staleWhileRevalidate: 600, tags: ['t'] }
    await cache.set('k', 'old', options)
    await memory.advance(service, 61_000)
    const gate = deferred()
    let done = false
    assert.equal(await cache.getOrSet('k', () => gate.promise.finally(() => (done = true)), options), 'old')
    await cache.invalidateByTag('t')
    gate.resolve('too old')
    await until('the renewal has ended', () => done)
    for (let i = 0; i < 20; i++) await new Promise(setImmediate)
    assert.equal(await cache.get('k'), null)
    await service.disconnect()
  })
})

describe('the cache without its server', () => {
  test('getOrSet returns what it loads, in a single flight, and counts the error', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    const service = new RedisService({ url, connectTimeoutMs: 500, timeoutMs: 500, retryAttempts: 0 })
    const cache = new ApiCache(service)
    let loads = 0
    const results = await Promise.all(Array.from({ length: 10 }, () => cache.getOrSet('k', async () => ++loads)))
    assert.deepEqual(new Set(results), new Set([1]))
    assert.equal(loads, 1)
    assert.ok(cache.stats().errors >= 1)
    await refuses(cache.set('k', 1), 'E_UNAVAILABLE')
    await refuses(cache.invalidateByTag('t'), 'E_UNAVAILABLE')
    await service.disconnect()
  })
})
