import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { RateLimiter, RedisService } from 'cinnabar'

import { rawClient, refuses, runJson, until } from '../helpers.mjs'
import { engines, freePort } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`the limiter on ${engine.name}`, () => {
    const withLimiter = (run, options) => async () => {
      const service = await engine.makeService()
      try {
        await run(new RateLimiter(service, options), await rawClient(service), service)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'counts down, refuses, and says when it ends',
      withLimiter(async (limiter, client) => {
        const before = Date.now()
        const results = []
        for (let i = 0; i < 5; i++) results.push(await limiter.checkRateLimit('user', 3, 60))
        assert.deepEqual(
          results.map(({ allowed, remaining, limit, source }) => [allowed, remaining, limit, source]),
          [
            [true, 2, 3, 'store'],
            [true, 1, 3, 'store'],
            [true, 0, 3, 'store'],
            [false, 0, 3, 'store'],
            [false, 0, 3, 'store'],
          ],
        )
        for (const { resetTime } of results.slice(3)) {
          assert.ok(Number.isInteger(resetTime))
          assert.ok(
            resetTime > before + 55_000 && resetTime <= Date.now() + 61_000,
            `resetTime is ${resetTime - before} ms off`,
          )
        }
        assert.match(await client.get('rate_limit:user'), /^\d+$/)
        const ttl = await client.pTTL('rate_limit:user')
        assert.ok(ttl > 55_000 && ttl <= 60_000)
      }),
    )

    test(
      'the defaults are 100 in an hour',
      withLimiter(async (limiter, client) => {
        const result = await limiter.checkRateLimit('user')
        assert.deepEqual([result.allowed, result.remaining, result.limit], [true, 99, 100])
        assert.ok((await client.ttl('rate_limit:user')) > 3590)
      }),
    )

    test(
      '1,000 concurrent calls at limit 100 admit exactly 100',
      withLimiter(async (limiter) => {
        const results = await Promise.all(Array.from({ length: 1000 }, () => limiter.checkRateLimit('user', 100, 60)))
        assert.equal(results.filter(({ allowed }) => allowed).length, 100)
        const remaining = results.filter(({ allowed }) => allowed).map(({ remaining }) => remaining)
        assert.deepEqual(
          remaining.sort((a, b) => a - b),
          Array.from({ length: 100 }, (_, i) => i),
        )
        assert.ok(results.every(({ resetTime, allowed }) => allowed || resetTime > Date.now()))
      }),
    )

    test(
      'many limits in one tick, each with its own count',
      withLimiter(async (limiter) => {
        const calls = Array.from({ length: 2000 }, (_, i) =>
          limiter.checkRateLimit(`user${i % 100}`, 5 + (i % 100), 60),
        )
        const results = await Promise.all(calls)
        for (let user = 0; user < 100; user++) {
          const admitted = results.filter(({ allowed }, i) => i % 100 === user && allowed).length
          assert.equal(admitted, Math.min(20, 5 + user), `user${user}`)
        }
      }),
    )

    test(
      'never leaves a key without an end, not even one that had none',
      withLimiter(async (limiter, client) => {
        await client.set('rate_limit:old', '5')
        await limiter.checkRateLimit('old', 10, 60)
        await Promise.all(Array.from({ length: 50 }, (_, i) => limiter.checkRateLimit(`u${i}`, 1 + (i % 3), 60)))
        await limiter.checkLimit('raw:key', 5, 60)
        await client.set('raw:old', '5')
        await limiter.checkLimit('raw:old', 10, 60)
        const { keys } = await client.scan(0, { COUNT: 1000 })
        assert.ok(keys.length >= 53)
        for (const key of keys) assert.ok((await client.pTTL(key)) > 0, `${key} lives for ever`)
      }),
    )

    test(
      'a refusal costs nothing: neither count nor end move',
      withLimiter(async (limiter, client) => {
        await limiter.checkRateLimit('user', 1, 60)
        const count = await client.get('rate_limit:user')
        const first = await limiter.checkRateLimit('user', 1, 60)
        for (let i = 0; i < 10; i++) {
          const again = await limiter.checkRateLimit('user', 1, 60)
          assert.ok(Math.abs(again.resetTime - first.resetTime) <= 5)
        }
        assert.equal(await client.get('rate_limit:user'), count)
      }),
    )

    test(
      'reset forgets the count',
      withLimiter(async (limiter) => {
        await limiter.checkRateLimit('user', 1, 60)
        assert.equal((await limiter.checkRateLimit('user', 1, 60)).allowed, false)
        assert.equal(await limiter.resetRateLimit('user'), 1)
        assert.equal(await limiter.resetRateLimit('user'), 0)
        assert.equal((await limiter.checkRateLimit('user', 1, 60)).allowed, true)
      }),
    )

    test(
      'checkLimit takes the key as it is',
      withLimiter(async (limiter, client) => {
        const key = RateLimiter.keyForRoute('2001:db8::1', '/api/users')
        assert.equal(key, 'ratelimit:2001:db8::1:/api/users')
        assert.equal(limiter.keyForRoute('1.2.3.4', '/'), 'ratelimit:1.2.3.4:/')
        assert.deepEqual([await limiter.checkLimit(key, 2, 60), await limiter.checkLimit(key, 2, 60)], [true, true])
        assert.equal(await limiter.checkLimit(key, 2, 60), false)
        assert.ok((await client.ttl(key)) > 55)
      }),
    )

    test(
      'the presets are what the documents say',
      withLimiter(async (limiter, client) => {
        const wanted = { DEFAULT: [100, 60], API: [1000, 3600], AUTH: [5, 300], STATIC: [1000, 60] }
        for (const [name, [limit, seconds]] of Object.entries(wanted)) {
          assert.deepEqual({ ...RateLimiter.presets[name] }, { limit, windowSeconds: seconds })
          const result = await limiter.check(name, name)
          assert.deepEqual([result.limit, result.remaining], [limit, limit - 1])
          const ttl = await client.ttl(`rate_limit:${name}`)
          assert.ok(ttl > seconds - 5 && ttl <= seconds)
        }
        assert.equal((await limiter.check('own', { limit: 7, windowSeconds: 60 })).limit, 7)
        assert.equal((await limiter.check('unnamed')).limit, 100)
        await refuses(limiter.check('x', 'NONE'), 'E_INVALID_ARGUMENT', /DEFAULT, API, AUTH, STATIC/)
        await refuses(limiter.check('x', 'toString'), 'E_INVALID_ARGUMENT')
        await refuses(limiter.check('x', { limit: 7 }), 'E_INVALID_ARGUMENT')
        await refuses(limiter.check('x', { limt: 7, windowSeconds: 1 }), 'E_INVALID_ARGUMENT')
        assert.throws(() => (RateLimiter.presets.AUTH.limit = 1000), TypeError)
      }),
    )

    test(
      'headers show a client its limit',
      withLimiter(async (limiter) => {
        const allowed = await limiter.checkRateLimit('user', 1, 60)
        assert.deepEqual(Object.keys(limiter.headers(allowed)).slice(0, 2), [
          'X-RateLimit-Limit',
          'X-RateLimit-Remaining',
        ])
        assert.equal('Retry-After' in RateLimiter.headers(allowed), false)
        const refused = await limiter.checkRateLimit('user', 1, 60)
        const headers = RateLimiter.headers(refused)
        assert.equal(headers['X-RateLimit-Limit'], '1')
        assert.equal(headers['X-RateLimit-Remaining'], '0')
        assert.equal(headers['X-RateLimit-Reset'], String(Math.ceil(refused.resetTime / 1000)))
        const wait = Number(headers['Retry-After'])
        assert.ok(Number.isInteger(wait) && wait > 50 && wait <= 61, headers['Retry-After'])
        assert.equal(RateLimiter.headers({ allowed: false, remaining: 0, resetTime: 5 }, 9)['Retry-After'], '1')
        assert.equal(RateLimiter.headers({ allowed: false, remaining: 0, resetTime: 5 }, 9)['X-RateLimit-Limit'], '9')
        const response = new Response(null, { status: 429, headers })
        assert.equal(response.headers.get('x-ratelimit-remaining'), '0')
        assert.throws(() => RateLimiter.headers(undefined), { code: 'E_INVALID_ARGUMENT' })
        assert.deepEqual(RateLimiter.headers({ allowed: true, remaining: 3 }), { 'X-RateLimit-Remaining': '3' })
        assert.deepEqual(RateLimiter.headers({ allowed: true, remaining: Infinity, limit: Infinity }), {})
        assert.deepEqual(RateLimiter.headers({ allowed: false, remaining: 0, limit: 0, retryAfterMs: Infinity }), {
          'X-RateLimit-Limit': '0',
          'X-RateLimit-Remaining': '0',
        })
        for (const [result, limit] of [
          [{ allowed: true }, 9],
          [{ allowed: true, remaining: '3' }, 9],
          [{ allowed: true, remaining: 3 }, NaN],
          [{ allowed: true, remaining: 3 }, '9'],
          [{ allowed: true, remaining: 3, limit: null }],
          [{ allowed: false, remaining: 0, resetTime: NaN }, 9],
          [{ allowed: false, remaining: 0, resetTime: '5' }, 9],
          [{ allowed: false, remaining: 0, retryAfterMs: -Infinity }, 9],
        ]) {
          assert.throws(() => RateLimiter.headers(result, limit), { code: 'E_INVALID_ARGUMENT' })
        }
      }),
    )

    test(
      'the store says how long to wait, whatever the time is here',
      withLimiter(async (limiter) => {
        const allowed = await limiter.checkRateLimit('user', 1, 60)
        assert.equal(allowed.retryAfterMs, 0)
        const refused = await limiter.checkRateLimit('user', 1, 60)
        assert.ok(refused.retryAfterMs > 50_000 && refused.retryAfterMs <= 60_000, String(refused.retryAfterMs))
        await limiter.check('preset', { limit: 1, windowSeconds: 60 })
        const preset = await limiter.check('preset', { limit: 1, windowSeconds: 60 })
        const { now } = Date
        try {
          for (const off of [0, -300_000, 300_000]) {
            Date.now = () => now() + off
            for (const result of [refused, preset, await limiter.checkRateLimit('user', 1, 60)]) {
              const wait = Number(limiter.headers(result)['Retry-After'])
              assert.equal(wait, Math.ceil(result.retryAfterMs / 1000))
              assert.ok(wait > 50 && wait <= 60, `${off} ms off: ${wait}`)
            }
          }
        } finally {
          Date.now = now
        }
      }),
    )

    test(
      'a window ends, and a new one begins',
      withLimiter(async (limiter, _client, service) => {
        const check = () => limiter.checkRateLimit('user', 1, 4)
        assert.equal((await check()).allowed, true)
        const refused = await check()
        assert.equal(refused.allowed, false)
        if (engine.advance) {
          await engine.advance(service, 4001)
          assert.equal((await check()).allowed, true)
        } else {
          await until('the window has ended', async () => (await check()).allowed)
          assert.ok(Date.now() >= refused.resetTime - 5, 'the window ended before its time')
        }
      }),
    )

    test(
      'refuses invalid limits, windows and names, and counts nothing then',
      withLimiter(async (limiter, client) => {
        for (const limit of [0, -1, 1.5, NaN, Infinity, '100', null, {}]) {
          await refuses(limiter.checkRateLimit('u', limit, 60), 'E_INVALID_ARGUMENT')
          await refuses(limiter.checkLimit('u', limit, 60), 'E_INVALID_ARGUMENT')
        }
        for (const window of [0, -1, NaN, Infinity, '60', null, {}]) {
          await refuses(limiter.checkRateLimit('u', 1, window), 'E_INVALID_ARGUMENT')
          await refuses(limiter.checkLimit('u', 1, window), 'E_INVALID_ARGUMENT')
        }
        for (const name of [undefined, null, 42, {}, Symbol('u')]) {
          await refuses(limiter.checkRateLimit(name), 'E_INVALID_ARGUMENT')
          await refuses(limiter.resetRateLimit(name), 'E_INVALID_ARGUMENT')
        }
        await refuses(limiter.checkLimit('u'), 'E_INVALID_ARGUMENT')
        for (const [ip, route] of [
          [undefined, '/'],
          ['1.2.3.4', 42],
        ]) {
          assert.throws(() => RateLimiter.keyForRoute(ip, route), { code: 'E_INVALID_ARGUMENT' })
        }
        assert.equal(await client.dbSize(), 0)
      }),
    )

    test(
      'names never run into each other',
      withLimiter(async (limiter) => {
        const names = ['a', 'a*', 'a?', '[a]', '{a}', 'a:b', 'a b', 'A', '%61', 'ä', 'a'.repeat(2000), 'a'.repeat(2001)]
        for (const name of names) assert.equal((await limiter.checkRateLimit(name, 1, 60)).allowed, true, name)
        for (const name of names) assert.equal((await limiter.checkRateLimit(name, 1, 60)).allowed, false, name)
        assert.equal(await limiter.resetRateLimit('a*'), 1)
        assert.equal((await limiter.checkRateLimit('a', 1, 60)).allowed, false)
      }),
    )

    test(
      'says in a typed way that a key holds something else',
      withLimiter(async (limiter, client) => {
        await client.hSet('rate_limit:hash', 'f', 'v')
        await refuses(limiter.checkRateLimit('hash', 1, 60), 'E_WRONG_TYPE')
      }),
    )

    test('refuses bad options of its own', async () => {
      const service = await engine.makeService()
      for (const options of [{ prefx: 'a' }, { prefix: 42 }, { onUnavailable: 'empty' }, 'x', null]) {
        assert.throws(() => new RateLimiter(service, options), { code: 'E_INVALID_ARGUMENT' })
      }
      await service.disconnect()
    })
  })
}

describe('the limiter without its server', () => {
  const away = async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    return new RedisService({ url, connectTimeoutMs: 300, timeoutMs: 500, retryAttempts: 0 })
  }

  test('allows, refuses or rejects, as its options say', async () => {
    const service = await away()
    const open = await new RateLimiter(service).checkRateLimit('user', 7, 60)
    assert.deepEqual([open.allowed, open.remaining, open.limit, open.source], [true, 7, 7, 'fallback'])
    const allow = await new RateLimiter(service, { onUnavailable: 'allow' }).checkLimit('user', 7, 60)
    assert.equal(allow, true)
    const auth = []
    for (let i = 0; i < 6; i++) auth.push(await new RateLimiter(service).check('user', 'AUTH'))
    assert.deepEqual(
      auth.map(({ allowed, source }) => [allowed, source]),
      [...Array(5).fill([true, 'local']), [false, 'local']],
      'attempts to sign in are counted here',
    )
    const lenient = new RateLimiter(service, { onUnavailable: 'allow' })
    for (let i = 0; i < 6; i++) assert.equal((await lenient.check('other', 'AUTH')).source, 'fallback')
    const deny = new RateLimiter(service, { onUnavailable: 'deny' })
    const refused = await deny.checkRateLimit('user', 7, 60)
    assert.deepEqual([refused.allowed, refused.remaining, refused.source], [false, 0, 'fallback'])
    assert.ok(refused.resetTime > Date.now() - 1000, 'a refusal says when to come back')
    assert.equal(await deny.checkLimit('user', 7, 60), false)
    const loud = new RateLimiter(service, { onUnavailable: 'throw' })
    await refuses(loud.checkRateLimit('user', 7, 60), 'E_UNAVAILABLE')
    await refuses(loud.checkLimit('user', 7, 60), 'E_UNAVAILABLE')
    await refuses(loud.checkRateLimit('user', -1, 60), 'E_INVALID_ARGUMENT')
    await service.disconnect()
  })
})

describe('the limiter between processes', () => {
  test('two processes with 500 calls each admit exactly 100 together', async () => {
    const [, redis] = engines
    const service = await redis.makeService()
    const source = `
      import { RateLimiter } from 'cinnabar'
      const results = await Promise.all(Array.from({ length: 500 }, () => RateLimiter.checkRateLimit('shared', 100, 60)))
      console.log(results.filter(({ allowed }) => allowed).length)`
    const admitted = await Promise.all([1, 2].map(() => runJson(source, { env: redis.env() })))
    assert.equal(admitted[0] + admitted[1], 100)
    await service.disconnect()
  })
})

test('no address and route share a key with another pair', () => {
  const key = RateLimiter.keyForRoute
  assert.equal(key('203.0.113.7', '/login'), 'ratelimit:203.0.113.7:/login')
  assert.notEqual(key('::1', '2:/x'), key('::1:2', '/x'))
  assert.notEqual(key('a', 'b:c'), key('a', 'b%3Ac'))
})
