// Limits by name: what each algorithm admits, what belongs to single identifiers, several at once, waiting, and what happens without a server.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { RateLimiter, RedisService } from 'cinnabar'

import { refuses, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines, freePort } from '../support/engines.mjs'

const POLICIES = {
  gcra: { algorithm: 'gcra', limit: 3, per: 60 },
  burst: { limit: 60, per: 60, burst: 2 },
  strict: { limit: 4, per: 60, strict: true },
  sliding: { algorithm: 'sliding-window', limit: 3, per: 60 },
  fixed: { algorithm: 'fixed-window', limit: 3, per: 60 },
  daily: { limit: 3, per: 'day', timeZone: 'Europe/Berlin' },
  monthly: { algorithm: 'calendar', limit: 3, per: 'month' },
  none: { limit: 0, per: 60 },
  free: { limit: Infinity, per: 60 },
  shadow: { limit: 1, per: 60, shadow: true },
}
const AT_ONCE = { gcra: 3, burst: 2, strict: 2, sliding: 3, fixed: 3, daily: 3, monthly: 3 }

for (const engine of engines) {
  describe(`policies on ${engine.name}`, () => {
    const withLimiter =
      (run, options = {}) =>
      async () => {
        const service = await engine.makeService()
        try {
          await run(new RateLimiter(service, { policies: POLICIES, ...options }), service)
        } finally {
          await service.disconnect()
        }
      }

    test(
      'count down, refuse, and say when to come back',
      withLimiter(async (limiter) => {
        for (const [policy, most] of Object.entries(AT_ONCE)) {
          const results = await Promise.all(Array.from({ length: most + 2 }, () => limiter.check(policy, 'ann')))
          assert.deepEqual(
            results.map(({ allowed }) => allowed),
            [...Array(most).fill(true), false, false],
            policy,
          )
          const [first, refused] = [results[0], results.at(-1)]
          const { resetTime, resetMs, ...rest } = first
          const { limit } = POLICIES[policy]
          assert.deepEqual(rest, { allowed: true, limit, remaining: most - 1, retryAfterMs: 0, source: 'store' })
          assert.ok(Math.abs(resetTime - resetMs - Date.now()) < 5000, `${policy}: ${resetTime} ${resetMs}`)
          assert.ok(refused.retryAfterMs > 0 && refused.retryAfterMs <= refused.resetMs, policy)
          assert.equal(limiter.headers(refused)['Retry-After'], String(Math.ceil(refused.retryAfterMs / 1000)))
          const peeked = await limiter.peek(policy, 'ann')
          assert.deepEqual([peeked.allowed, peeked.remaining], [false, 0])
          assert.equal((await limiter.check(policy, 'bob')).remaining, most - 1, 'others have their own')
        }
      }),
    )

    test(
      'a call counts as many requests as it costs, or none',
      withLimiter(async (limiter) => {
        assert.equal((await limiter.check('gcra', 'ann', { cost: 2 })).remaining, 1)
        const refused = await limiter.check('gcra', 'ann', { cost: 2 })
        assert.deepEqual([refused.allowed, refused.remaining], [false, 1], 'it was not counted')
        assert.equal((await limiter.check('gcra', 'ann', { cost: 0 })).remaining, 1)
        const never = await limiter.check('gcra', 'ann', { cost: 4 })
        assert.deepEqual([never.allowed, never.retryAfterMs], [false, Infinity])
        assert.equal('Retry-After' in limiter.headers(never), false)
        assert.equal((await limiter.check('gcra', 'ann', { cost: 4, limit: 9 })).allowed, true)
        assert.equal((await limiter.penalize('sliding', 'ann', { cost: 99 })).remaining, 0)
        assert.equal((await limiter.check('sliding', 'ann')).allowed, false)
      }),
    )

    test(
      'nothing and everything are limits, too',
      withLimiter(async (limiter) => {
        const none = await limiter.check('none', 'ann')
        assert.deepEqual([none.allowed, none.limit, none.remaining, none.retryAfterMs], [false, 0, 0, Infinity])
        const free = await limiter.check('free', 'ann', { cost: 1000 })
        assert.deepEqual([free.allowed, free.limit, free.remaining], [true, Infinity, Infinity])
        assert.deepEqual(limiter.headers(free), {})
      }),
    )

    test(
      'a shadow allows what it would refuse, and says so',
      withLimiter(async (limiter) => {
        const results = [await limiter.check('shadow', 'ann'), await limiter.check('shadow', 'ann')]
        assert.deepEqual(
          results.map(({ allowed, shadowDenied }) => [allowed, shadowDenied]),
          [
            [true, undefined],
            [true, true],
          ],
        )
        assert.equal((await limiter.wait('shadow', 'ann')).shadowDenied, true)
      }),
    )

    test(
      'a charge is settled once, by the actual cost',
      withLimiter(async (limiter) => {
        for (const policy of ['gcra', 'sliding', 'fixed', 'daily']) {
          const { charge } = await limiter.check(policy, 'ann', { cost: 3, refundable: true })
          assert.equal((await limiter.check(policy, 'ann')).allowed, false)
          assert.equal(await limiter.settle(policy, 'ann', charge, 1), true)
          assert.equal(await limiter.settle(policy, 'ann', charge, 0), false)
          assert.equal(await limiter.refund(policy, 'ann', charge), false)
          assert.equal((await limiter.peek(policy, 'ann')).remaining, 2, policy)
          const other = await limiter.check(policy, 'ann', { refundable: true })
          assert.equal(await limiter.settle(policy, 'ann', other.charge, 5), true)
          assert.equal((await limiter.check(policy, 'ann')).allowed, false, 'more than the limit was used')
        }
        const refused = await limiter.check('gcra', 'ann', { refundable: true })
        assert.equal('charge' in refused, false)
        assert.equal('charge' in (await limiter.check('gcra', 'bob')), false)
        assert.equal(await limiter.settle('gcra', 'bob', undefined, 1), false)
        const { charge } = await limiter.check('sliding', 'eve', { refundable: true })
        assert.equal(await limiter.refund('sliding', 'mallory', charge), false, 'the charge of another')
        assert.equal(await limiter.refund('fixed', 'eve', charge), false, 'of another policy')
      }),
    )

    test(
      'identifiers can be blocked, reset, and have limits of their own',
      withLimiter(async (limiter, service) => {
        await limiter.check('fixed', 'ann', { cost: 2 })
        assert.equal(await limiter.block('fixed', 'ann', 30), true)
        const refused = await limiter.check('fixed', 'ann')
        assert.ok(!refused.allowed && refused.retryAfterMs > 25_000 && refused.retryAfterMs <= 30_000)
        assert.deepEqual([await limiter.unblock('fixed', 'ann'), await limiter.unblock('fixed', 'ann')], [true, false])
        assert.equal((await limiter.check('fixed', 'ann')).remaining, 0, 'what was counted is kept')
        assert.deepEqual([await limiter.reset('fixed', 'ann'), await limiter.reset('fixed', 'ann')], [true, false])
        await limiter.override('fixed', 'ann', { limit: 10, ttlSeconds: 60 })
        const other = new RateLimiter(engine.beside(service), { policies: POLICIES })
        const overridden = await other.check('fixed', 'ann')
        assert.deepEqual([overridden.limit, overridden.remaining], [10, 9], 'in another process, too')
        await limiter.override('fixed', 'vip', { limit: Infinity })
        assert.equal((await limiter.check('fixed', 'vip', { cost: 1e9 })).remaining, Infinity)
        await limiter.block('fixed', 'vip', 30)
        assert.equal((await limiter.check('fixed', 'vip', { limit: Infinity })).allowed, false, 'a block is a block')
        assert.deepEqual([await limiter.restore('fixed', 'ann'), await limiter.restore('fixed', 'ann')], [true, false])
        assert.equal((await limiter.check('fixed', 'ann')).limit, 3)
      }),
    )

    test(
      'several are counted together, or none of them',
      withLimiter(async (limiter) => {
        const checks = [
          { policy: 'fixed', identifier: 'ip' },
          { policy: 'daily', identifier: 'ip', cost: 2 },
          { policy: 'fixed', identifier: 'user' },
          { policy: 'free', identifier: 'ip' },
        ]
        const first = await limiter.checkAll(checks)
        assert.equal(first.allowed, true)
        assert.deepEqual(
          first.results.map(({ remaining }) => remaining),
          [2, 1, 2, Infinity],
        )
        const refused = await limiter.checkAll(checks)
        assert.deepEqual(
          [refused.allowed, refused.results.map(({ allowed, remaining }) => [allowed, remaining])],
          [
            false,
            [
              [true, 2],
              [false, 1],
              [true, 2],
              [true, Infinity],
            ],
          ],
        )
      }),
    )

    test(
      'who waits gets a turn, in order, and gives it back by leaving',
      withLimiter(
        async (limiter) => {
          const order = []
          const wait = (name, options) =>
            limiter.wait('turns', 'x', options).then((result) => (order.push(name), result))
          const { resetTime } = await wait('a')
          const leaving = new AbortController()
          const left = refuses(wait('left', { signal: leaving.signal }), 'E_ABORTED')
          const waits = [wait('b'), wait('c')]
          const last = resetTime + 3 * 2000 - 10
          await until('all have their turns', async () => (await limiter.peek('turns', 'x')).resetTime >= last)
          leaving.abort()
          await left
          const results = await Promise.all(waits)
          assert.deepEqual(order, ['a', 'b', 'c'])
          assert.ok(results.every(({ allowed, retryAfterMs }) => allowed && retryAfterMs === 0))
          await limiter.penalize('turns', 'x')
          await refuses(limiter.wait('turns', 'x', { timeoutMs: 1 }), 'E_TIMEOUT', /the next one is in \d+ ms/)
          await refuses(limiter.wait('turns', 'x', { cost: 2 }), 'E_TIMEOUT', /its cost is above the limit/)
          const bound = limiter.with({ signal: AbortSignal.timeout(5) })
          await limiter.penalize('turns', 'x')
          await refuses(bound.wait('turns', 'x'), 'E_ABORTED')
          await until('its turn was given back', async () => (await limiter.peek('turns', 'x')).retryAfterMs <= 2000)
          await refuses(limiter.wait('turns', 'x', { signal: AbortSignal.abort() }), 'E_ABORTED')
        },
        { policies: { turns: { limit: 1, per: 2, burst: 1 } } },
      ),
    )

    test(
      'who waits for a window is asked again when it may be allowed',
      withLimiter(
        async (limiter) => {
          const results = await Promise.all(Array.from({ length: 4 }, () => limiter.wait('window', 'x')))
          assert.ok(results.every(({ allowed }) => allowed))
          await limiter.penalize('window', 'x', { cost: 9 })
          await refuses(limiter.wait('window', 'x', { timeoutMs: 0 }), 'E_TIMEOUT')
        },
        { policies: { window: { algorithm: 'fixed-window', limit: 2, per: 2 } } },
      ),
    )

    test(
      'a window ends, and so does everything that is stored of it',
      withLimiter(
        async (limiter, service) => {
          const { resetMs } = await limiter.check('short', 'ann')
          assert.ok(resetMs > 0 && resetMs <= 1000)
          if (engine.advance) await engine.advance(service, 1001)
          await until('it is gone', async () => (await service.getClient().dbSize()) === 0)
          assert.equal((await limiter.check('short', 'ann')).allowed, true)
        },
        { policies: { short: { algorithm: 'fixed-window', limit: 1, per: 1 } } },
      ),
    )

    test(
      'what the programmer got wrong is refused before anything is sent',
      withLimiter(async (limiter, service) => {
        const secret = 'what a client sent'
        for (const call of [
          () => limiter.check(secret, 'ann'),
          () => limiter.check('toString', 'ann'),
          () => limiter.check('gcra'),
          () => limiter.check('gcra', 42),
          () => limiter.check('gcra', 'ann', { cost: -1 }),
          () => limiter.check('gcra', 'ann', { cost: '1' }),
          () => limiter.check('gcra', 'ann', { limit: 1.5 }),
          () => limiter.check('gcra', 'ann', { refundable: 1 }),
          () => limiter.check('gcra', 'ann', { costs: 1 }),
          () => limiter.wait('gcra', 'ann', { timeoutMs: -1 }),
          () => limiter.wait('gcra', 'ann', { signal: 1 }),
          () => limiter.checkAll([]),
          () => limiter.checkAll('gcra'),
          () => limiter.checkAll([{ policy: 'gcra' }]),
          () => limiter.checkAll([{ policy: 'gcra', identifier: 'a', price: 1 }]),
          () => limiter.checkAll(Array(2).fill({ policy: 'gcra', identifier: 'a' })),
          () => limiter.settle('gcra', 'ann', 'charge', -1),
          () => limiter.settle('gcra', 'ann', 42, 1),
          () => limiter.block('gcra', 'ann', 0),
          () => limiter.block('free', 'ann', 1),
          () => limiter.override('gcra', 'ann', {}),
          () => limiter.override('gcra', 'ann', { limit: -1 }),
          () => service.limiter.peek('gcra', 'ann'),
        ]) {
          const error = await refuses(call(), 'E_INVALID_ARGUMENT')
          assert.ok(!error.message.includes(secret), error.message)
        }
        assert.equal(await service.getClient().dbSize(), 0)
        assert.match((await refuses(limiter.check('nope', 'ann'), 'E_INVALID_ARGUMENT')).message, /burst, daily, fixed/)
      }),
    )

    test('an invalid policy is refused when the limiter is made', async () => {
      const service = await engine.makeService()
      for (const policy of [
        undefined,
        null,
        5,
        {},
        { limit: 5 },
        { per: 5 },
        { limit: -1, per: 5 },
        { limit: 5, per: 0 },
        { limit: 5, per: 'fortnight' },
        { limit: 5, per: 60, algorithm: 'magic' },
        { limit: 5, per: 'day', algorithm: 'gcra' },
        { limit: 5, per: 60, algorithm: 'calendar' },
        { limit: 5, per: 60, algorithm: 'fixed-window', burst: 2 },
        { limit: 5, per: 60, algorithm: 'sliding-window', strict: true },
        { limit: 5, per: 60, timeZone: 'UTC' },
        { limit: 5, per: 'day', timeZone: 'Mars/Olympus' },
        { limit: 5, per: 60, burst: 0 },
        { limit: 5, per: 60, burst: 6, strict: true },
        { limit: 5, per: 60, shadow: 'yes' },
        { limit: 5, per: 60, windowSeconds: 60 },
      ]) {
        const make = () => new RateLimiter(service, { policies: { login: policy } })
        assert.throws(make, { code: 'E_INVALID_ARGUMENT', message: /policies\.login/ }, JSON.stringify(policy))
      }
      for (const policies of [
        null,
        5,
        'x',
        [],
        new Map([['p', { limit: 1, per: 1 }]]),
        { 'a b': { limit: 1, per: 1 } },
        { '': { limit: 1, per: 1 } },
      ]) {
        assert.throws(() => new RateLimiter(service, { policies }), { code: 'E_INVALID_ARGUMENT' })
      }
      assert.ok(new RateLimiter(service, { policies: {} }))
      await service.disconnect()
    })
  })
}

test('policies in a cluster: those of one identifier in one step, those of others are refunded', async () => {
  const cluster = await startCluster()
  const service = new RedisService({ url: cluster.url })
  const limiter = new RateLimiter(service, { policies: POLICIES })
  const checks = Array.from({ length: 12 }, (_, n) => ({ policy: 'fixed', identifier: `ip${n}` }))
  assert.equal((await limiter.checkAll(checks)).allowed, true)
  await limiter.check('fixed', 'ip7', { cost: 2 })
  const refused = await limiter.checkAll(checks)
  assert.deepEqual(
    [refused.allowed, refused.results.map(({ allowed }) => allowed)],
    [false, checks.map(({ identifier }) => identifier !== 'ip7')],
  )
  for (const { identifier } of checks) {
    assert.equal((await limiter.peek('fixed', identifier)).remaining, identifier === 'ip7' ? 0 : 2, identifier)
  }
  const both = ['fixed', 'daily'].map((policy) => ({ policy, identifier: 'ip0' }))
  assert.equal((await limiter.checkAll(both)).allowed, true)
  await service.disconnect()
  await cluster.close()
})

test('policies without a server do what the limiter says', async () => {
  const url = `redis://127.0.0.1:${await freePort()}`
  const service = new RedisService({ url, connectTimeoutMs: 300, timeoutMs: 500, retryAttempts: 0, log: false })
  const limiterWith = (onUnavailable) => new RateLimiter(service, { onUnavailable, policies: POLICIES })
  const checks = [
    { policy: 'fixed', identifier: 'a' },
    { policy: 'daily', identifier: 'b' },
  ]
  for (const [rule, allowed, source] of [
    [undefined, true, 'fallback'],
    ['allow', true, 'fallback'],
    ['deny', false, 'fallback'],
    ['local', true, 'local'],
  ]) {
    const limiter = limiterWith(rule)
    for (const policy of Object.keys(AT_ONCE)) {
      const result = await limiter.check(policy, 'ann')
      assert.deepEqual([result.allowed, result.source], [allowed, source], `${rule} ${policy}`)
      assert.equal(typeof result.resetMs, 'number')
    }
    assert.equal((await limiter.checkAll(checks)).allowed, allowed)
    await refuses(limiter.block('fixed', 'ann', 60), 'E_UNAVAILABLE')
  }
  const local = limiterWith('local')
  const { charge } = await local.check('monthly', 'bea', { cost: 3, refundable: true })
  assert.equal((await local.check('monthly', 'bea')).allowed, false)
  assert.equal(await local.refund('monthly', 'bea', charge), true, 'here, where it was charged')
  assert.equal((await local.check('monthly', 'bea')).allowed, true)
  const loud = limiterWith('throw')
  await refuses(loud.check('gcra', 'ann'), 'E_UNAVAILABLE')
  await refuses(loud.checkAll(checks), 'E_UNAVAILABLE')
  await refuses(loud.wait('gcra', 'ann'), 'E_UNAVAILABLE')
  await service.disconnect()
})
