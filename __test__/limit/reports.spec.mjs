// What a limiter reports: counts, the worst offenders, a line per burst of refusals, and that the server cannot count.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { RateLimiter, RedisService, healthCheck } from 'cinnabar'

import { until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { startRedis } from '../support/redis.mjs'

const policies = { login: { limit: 2, per: 60 }, api: { algorithm: 'sliding-window', limit: 1, per: 60 } }

for (const engine of engines) {
  describe(`reports of a limiter on ${engine.name}`, () => {
    const withLimiter = (run) => async () => {
      const events = []
      const service = await engine.makeService({ log: (event) => events.push(event) })
      try {
        await run(new RateLimiter(service, { policies }), events, service)
      } finally {
        await service.disconnect()
      }
    }
    const refusals = (events) => events.filter(({ type }) => type === 'limit-refused').map(({ message }) => message)

    test(
      'a burst is one event, however many requests it has',
      withLimiter(async (limiter, events) => {
        for (let i = 0; i < 50; i++) await limiter.check('login', '203.0.113.7')
        for (let i = 0; i < 3; i++) await limiter.check('api', 'a "quoted"\n name')
        for (let i = 0; i < 3; i++) await limiter.checkRateLimit('window', 2, 60)
        for (let i = 0; i < 3; i++) await limiter.checkLimit('ratelimit:::1:/', 2, 60)
        await limiter.checkAll(['login', 'api'].map((policy) => ({ policy, identifier: 'both' })))
        await limiter.checkAll(['login', 'api'].map((policy) => ({ policy, identifier: 'both' })))
        await until('all are reported', () => refusals(events).length >= 5)
        assert.deepEqual(refusals(events), [
          'rate limit login refuses "203.0.113.7", so far once',
          String.raw`rate limit api refuses "a \"quoted\"\n name", so far once`,
          'rate limit refuses "window", so far once',
          'rate limit refuses "ratelimit:::1:/", so far once',
          'rate limit api refuses "both", so far once',
        ])
      }),
    )

    test(
      'of a refused check of several policies, only what refused counts',
      withLimiter(async (limiter) => {
        const all = ['login', 'api'].map((policy) => ({ policy, identifier: 'both' }))
        for (let i = 0; i < 4; i++) await limiter.checkAll(all)
        const { allowed, refused } = limiter.stats()
        assert.deepEqual([allowed, refused], [2, 3])
      }),
    )

    test(
      'the worst offenders are known, with counts',
      withLimiter(async (limiter, _events, service) => {
        for (let i = 0; i < 12; i++) await limiter.check('login', 'worst')
        for (let i = 0; i < 5; i++) await limiter.check('api', 'second')
        for (let i = 0; i < 3; i++) await limiter.checkRateLimit('third', 2, 60)
        await limiter.peek('login', 'worst')
        assert.deepEqual(limiter.offenders(), [
          { policy: 'login', identifier: 'worst', refused: 10 },
          { policy: 'api', identifier: 'second', refused: 4 },
          { policy: null, identifier: 'third', refused: 1 },
        ])
        assert.equal(limiter.offenders(1).length, 1)
        for (const most of [0, 513, 1.5, '1', null]) {
          assert.throws(() => limiter.offenders(most), { code: 'E_INVALID_ARGUMENT' })
        }
        const { allowed, refused, cached, uncounted } = limiter.stats()
        assert.deepEqual([allowed, refused, uncounted], [5, 15, 0])
        assert.ok(cached <= 15)
        await service.limiter.check('other')
        assert.equal((await healthCheck(service)).rateLimiter.metrics.allowed, 1)
      }),
    )
  })
}

test('that the server cannot count is said once, and that it can again', async () => {
  const server = await startRedis()
  const events = []
  const log = (event) => events.push(event)
  const service = new RedisService({ url: server.url, timeoutMs: 500, connectWaitMs: 100, retryAttempts: 0, log })
  const limiter = new RateLimiter(service, { policies, onUnavailable: 'local' })
  const said = () =>
    events.filter(({ type }) => /^limit-(fallback|restored)/.test(type)).map(({ type, message }) => [type, message])
  await limiter.check('login', 'ann')
  await server.kill()
  await until('it is counted here', async () => (await limiter.check('login', 'bob')).source === 'local')
  for (let i = 0; i < 10; i++) await limiter.check('api', `${i}`)
  await until('it is said', () => said().length > 0)
  const { host, port } = { host: '127.0.0.1', port: server.port }
  const down = [
    'limit-fallback',
    `rate limits cannot be counted by ${host}:${port}: they are counted in this process alone`,
  ]
  assert.deepEqual(said(), [down])
  assert.ok(limiter.stats().uncounted >= 11)
  await server.start()
  await until('it is counted there', async () => (await limiter.check('login', 'cleo')).source === 'store')
  const up = ['limit-restored', `rate limits are counted by ${host}:${port} again`]
  // Once it has counted everything for a second.
  await until('it is said', async () => {
    await limiter.check('login', `dora ${performance.now()}`)
    return said().length > 1
  })
  assert.deepEqual(said(), [down, up])
  await service.disconnect()
  await server.stop()
})
