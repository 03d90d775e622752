import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { ApiCache, RateLimiter, healthCheck } from 'cinnabar'

import { refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

// What a stranger can make a key of: a header, a part of a path, a field of a body.
const strange = [
  '',
  '\0',
  'a\0b',
  '\ud800',
  'x\udc00y',
  '{a}',
  '%00',
  '%empty',
  'x'.repeat(100_000),
  '\n\r\u007f',
  '*',
  '[slug]',
  '\ufffd',
]

describe('names of endpoints', () => {
  const key = (params) => ApiCache.keyFor('/search', params)

  test('are equal exactly when what the parameters hold is', () => {
    class Price {
      #cents
      constructor(cents) {
        this.#cents = cents
      }
      toJSON() {
        return this.#cents
      }
    }
    const kinds = [
      (n) => ({ n }),
      (n) => [n],
      (n) => ({ a: { b: [n] } }),
      (n) => new Map([['n', n]]),
      (n) => new Set(['other', n]),
      (n) => new URLSearchParams({ n }),
      (n) => new Headers({ n }),
      (n) => new URL(`http://host/${n}`),
      (n) => new Date(n),
      (n) => ({ d: new Date(n) }),
      (n) => new Uint8Array([n]),
      (n) => new Uint16Array([n]),
      (n) => new Float64Array([n]),
      (n) => Buffer.from([n, n]),
      (n) => new Uint8Array([n, 9]).buffer,
      (n) => new DataView(new Uint8Array([n, 9, 9]).buffer),
      (n) => BigInt(n),
      (n) => String(n),
      (n) => new Price(n),
      (n) => new RegExp(String(n)),
    ]
    const keys = kinds.flatMap((make) => [1, 2].map((n) => [key({ p: make(n) }), key({ p: make(n) })]))
    for (const [one, again] of keys) assert.equal(one, again)
    assert.equal(new Set(keys.flat()).size, 2 * kinds.length)
  })

  test('distinguish numbers, and values that are equal as JSON', () => {
    const values = [0, -0, NaN, Infinity, -Infinity, null, '0', 'null', false, 0n, 1.4002999999999999, 1.4003, 5e-324]
    values.push([], {}, [undefined], [null], '', '\ud800', '\\ud800', '\udc00', 18.259149999999998, 18.25915)
    assert.equal(new Set(values.map((value) => key({ value }))).size, values.length)
  })

  test('do not depend on an order that says nothing, nor on fields that are none', () => {
    assert.equal(key(new URLSearchParams('b=2&a=1')), key(new URLSearchParams('a=1&b=2')))
    assert.notEqual(key(new URLSearchParams('a=1&a=2')), key(new URLSearchParams('a=2&a=1')))
    assert.equal(key(new Set([1, 2])), key(new Set([2, 1])))
    assert.equal(
      key(
        new Map([
          [1, 2],
          [3, 4],
        ]),
      ),
      key(
        new Map([
          [3, 4],
          [1, 2],
        ]),
      ),
    )
    assert.equal(key({ a: 1, b: undefined }), key({ a: 1 }))
    assert.equal(key(Object.assign(Object.create(null), { a: 1 })), key({ a: 1 }))
    assert.notEqual(key([1, 2]), key([2, 1]))
  })

  test('are refused for values that cannot be compared', () => {
    class Hidden {
      #secret = 1
    }
    const cyclic = {}
    cyclic.self = cyclic
    const throws = {
      get a() {
        throw new Error('no')
      },
    }
    const bad = [() => 1, Symbol('s'), new Hidden(), new WeakMap(), Promise.resolve(), new Error('e'), cyclic, throws]
    bad.push({ [Symbol('s')]: 1 }, new Blob(['a']), (function* () {})())
    for (const value of bad) {
      for (const params of [value, { deep: [value] }]) {
        assert.throws(() => key(params), { code: 'E_INVALID_ARGUMENT' })
      }
    }
  })
})

test('keys of addresses on routes: no two pairs meet, and no route keeps all addresses in one slot', () => {
  const key = RateLimiter.keyForRoute
  assert.equal(key('203.0.113.7', '/users/{id}'), 'ratelimit:203.0.113.7:/users/%7Bid%7D')
  assert.equal(key('fe80::1%eth0', '/'), 'ratelimit:fe80::1%eth0:/')
  const parts = ['{a}', '%7Ba%7D', '%257Ba%257D', '1:2', '', ...strange]
  const pairs = new Set(parts.flatMap((ip) => parts.map((route) => key(ip, route))))
  assert.equal(pairs.size, new Set(parts).size ** 2)
  for (const pair of pairs) assert.ok(!/[{}]/.test(pair) && pair.length < 1200 && pair.startsWith('ratelimit:'))
})

for (const engine of engines) {
  describe(`keys from strangers on ${engine.name}`, () => {
    test('any text is a key of a cache, and no two are one', async () => {
      const service = await engine.makeService()
      const cache = new ApiCache(service)
      for (const [at, name] of strange.entries()) {
        assert.equal(await cache.get(name), null)
        await cache.set(name, at, { tags: [name] })
      }
      assert.deepEqual(
        await cache.getMany(strange),
        strange.map((_, at) => at),
      )
      for (const [at, name] of strange.entries()) {
        assert.equal(await cache.getOrSet(name, () => assert.fail('it is there')), at)
        await cache.invalidateByTag(name)
        assert.equal(await cache.getOrSet(cache.keyFor(`/${name}`, { name }), () => at), at)
      }
      assert.deepEqual(
        await cache.getMany(strange),
        strange.map(() => null),
      )
      await service.disconnect()
    })

    test('any text is limited, and by no other text’s count', async () => {
      const service = await engine.makeService()
      const limiter = new RateLimiter(service)
      for (const id of strange) {
        assert.equal((await limiter.checkRateLimit(id, 1, 60)).allowed, true)
        assert.equal((await limiter.check(id, { limit: 1, windowSeconds: 60 })).allowed, false)
        assert.equal(await limiter.resetRateLimit(id), 1)
        assert.equal(await limiter.checkLimit(`raw ${id}`, 1, 60), true)
        assert.equal(await limiter.checkLimit(`raw ${id}`, 1, 60), false)
      }
      await service.disconnect()
    })

    test('a key of a route is one counter for every call of a limiter', async () => {
      const service = await engine.makeService()
      for (const limiter of [new RateLimiter(service), new RateLimiter(service, { prefix: 'app:' })]) {
        for (const route of ['/login', '/users/{id}', '', 'x'.repeat(10_000)]) {
          const key = limiter.keyForRoute('203.0.113.7', route)
          assert.equal((await limiter.check(key, { limit: 3, windowSeconds: 60 })).remaining, 2)
          assert.equal((await limiter.checkRateLimit(key, 3, 60)).remaining, 1)
          assert.equal(await limiter.checkLimit(key, 3, 60), true)
          assert.equal(await limiter.checkLimit(key, 3, 60), false)
          assert.equal(await service.get(key), '3')
          assert.equal(await limiter.resetRateLimit(key), 1)
          assert.equal(await limiter.checkLimit(key, 1, 60), true)
        }
      }
      await service.disconnect()
    })

    test('a pattern says what it means, and reaches only the values of its cache', async () => {
      const service = await engine.makeService()
      const cache = new ApiCache(service)
      await cache.setMany(['/blog/[slug]', '/blog/s', '/blog/x'].map((key) => ({ key, value: 1, tags: ['t'] })))
      await refuses(cache.invalidateByPattern('/blog/[slug]*'), 'E_INVALID_ARGUMENT', /\\\[slug\\\]/)
      assert.equal(await cache.invalidateByPattern('/blog/\\[slug\\]'), 1)
      assert.equal(await cache.invalidateByPattern('/blog/[a-t]'), 1)
      const everywhere = new ApiCache(service, { prefix: '' })
      await everywhere.set('mine', 1)
      const id = await service.sessions.createSession('u')
      await refuses(everywhere.invalidateByPattern('*'), 'E_INVALID_ARGUMENT', /prefix/)
      await refuses(everywhere.invalidateByPattern('m*'), 'E_INVALID_ARGUMENT', /prefix/)
      assert.ok(await service.sessions.getSession(id))
      assert.equal(await everywhere.get('mine'), 1)
      assert.equal(await cache.invalidateByPattern('*'), 1, 'what lies beside a value is none')
      await service.disconnect()
    })

    test('no cache reaches the values of another one', async () => {
      const service = await engine.makeService()
      for (const prefix of ['api:private:', 'a', 'api']) {
        assert.throws(() => new ApiCache(service, { prefix }), { code: 'E_INVALID_SETTINGS' }, prefix)
      }
      const [one, other] = ['one:', 'other:'].map((prefix) => new ApiCache(service, { prefix }))
      assert.throws(() => new ApiCache(service, { prefix: 'one:two:' }), { code: 'E_INVALID_SETTINGS' })
      const again = new ApiCache(service.with({ timeoutMs: 1000 }), { prefix: 'one:' })
      await Promise.all([one.set('k', 1), other.set('k', 2), service.cache.set('k', 3), service.set('one', 'raw')])
      assert.deepEqual([await again.get('k'), await other.get('k'), await service.cache.get('k')], [1, 2, 3])
      assert.equal(await one.invalidateByPattern('*'), 1)
      assert.deepEqual([await other.get('k'), await service.cache.get('k'), await service.get('one')], [2, 3, 'raw'])
      assert.equal((await healthCheck(service)).status, 'healthy')
      await service.disconnect()
    })

    test('reads of untagged values ask for nothing else', async () => {
      const service = await engine.makeService()
      const cache = new ApiCache(service)
      await cache.set('tagged', 1, { tags: ['t'] })
      await cache.set('plain', 2)
      await Promise.all([cache.get('tagged'), cache.get('plain')])
      if (engine.kind === 'redis') {
        const calls = async () => {
          const stats = await engine.server.command('INFO', 'commandstats')
          return [...stats.matchAll(/cmdstat_(\w+):calls=(\d+)/g)].filter(([, name]) => name !== 'info')
        }
        await engine.server.command('CONFIG', 'RESETSTAT')
        for (let i = 0; i < 50; i++) assert.equal(await cache.get('plain'), 2)
        const seen = (await calls()).filter(([, name]) => name !== 'config' && name !== 'ping')
        assert.deepEqual(
          seen.map(([, name, count]) => [name, Number(count)]),
          [['get', 50]],
        )
      }
      await service.disconnect()
    })

    test('many tags that were invalidated cost the readers of others nothing', async () => {
      const service = await engine.makeService()
      const cache = new ApiCache(service)
      await cache.set('page', { a: 1 }, { tags: ['page'] })
      await cache.get('page')
      // In portions: the driver fred writes each command by itself, and a breaker opens if thousands of calls take a second.
      for (let portion = 0; portion < 10; portion++) {
        const tags = Array.from({ length: 1000 }, (_, n) => `user:${portion}:${n}`)
        await Promise.all(tags.map((tag) => cache.invalidateByTag(tag)))
      }
      const before = process.memoryUsage().rss
      const values = await Promise.all(Array.from({ length: 1000 }, () => cache.get('page')))
      assert.ok(values.every((value) => value?.a === 1))
      assert.ok(process.memoryUsage().rss - before < 64e6)
      assert.equal(await service.getClient().dbSize(), 2)
      await service.disconnect()
    })
  })
}
