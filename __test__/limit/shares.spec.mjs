// Shares of a limit: hits that the store has counted as spent, and that a process then allows without asking it.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { RateLimiter, RedisService } from 'cinnabar'

import { refuses, root, runModule, runNode, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { startMonitor } from '../support/monitor.mjs'
import { startRedis } from '../support/redis.mjs'

const server = await startRedis()
after(() => server.stop())

const LIMIT = 10_000
const policies = {
  p: { algorithm: 'fixed-window', limit: LIMIT, per: 60, mode: 'shares' },
  small: { algorithm: 'fixed-window', limit: 3, per: 60, mode: 'shares' },
  short: { algorithm: 'fixed-window', limit: 1000, per: 0.5, mode: 'shares' },
  day: { per: 'day', limit: 1000, mode: 'shares' },
}

const services = []
/** A limiter on a service of its own: as another process has it. */
const makeLimiter = (options, own) => {
  const service = new RedisService({ url: server.url, poolSize: 1 + services.length, log: false, ...own })
  services.push(service)
  return new RateLimiter(service, { policies, ...options })
}
after(() => Promise.all(services.map((service) => service.disconnect())))

/** Checks until it is refused; returns how many were allowed. */
async function exhaust(limiter, policy, id, most = Infinity) {
  let allowed = 0
  while (allowed < most && (await limiter.check(policy, id)).allowed) allowed += 1
  return allowed
}

describe('shares of a limit', () => {
  test('allow exactly the limit, with a command for thousands of checks', async () => {
    const limiter = makeLimiter()
    assert.equal((await limiter.check('p', 'exact')).source, 'share')
    const monitor = await startMonitor(server)
    const results = []
    for (let n = 1; n < 2 * LIMIT; n++) results.push(await limiter.check('p', 'exact'))
    const scripts = (await monitor.stop()).filter(({ words, script }) => !script && /^eval/i.test(words[0]))
    assert.equal(results.filter(({ allowed }) => allowed).length, LIMIT - 1)
    assert.ok(
      results.every(({ source }) => source === 'share'),
      'all decided here',
    )
    // The first are small, since nothing is known of the rate, and so are those at the end.
    assert.ok(scripts.length < 120, `${scripts.length} scripts`)
    const [first, last] = [results[0], results.at(-1)]
    assert.deepEqual(Object.keys(first), Object.keys(await limiter.check('p', 'another')))
    assert.equal(first.limit, LIMIT)
    assert.ok(first.remaining > results[1000].remaining && first.remaining < LIMIT)
    assert.equal(first.resetTime, last.resetTime)
    assert.ok(first.resetMs > 0 && first.resetMs <= 60_000)
    assert.deepEqual([last.allowed, last.remaining], [false, 0])
    assert.ok(last.retryAfterMs > 50_000 && last.retryAfterMs <= 60_000)
    assert.equal((await limiter.peek('p', 'exact')).remaining, 0)
  })

  test('are never more than the limit in several processes, nor much less', async () => {
    const all = Array.from({ length: 4 }, () => makeLimiter())
    const counts = await Promise.all(all.map((limiter) => exhaust(limiter, 'p', 'several')))
    const sum = counts.reduce((one, other) => one + other)
    assert.ok(sum <= LIMIT, `${sum} of ${LIMIT}`)
    // What one of them gave back comes to the others when they ask again.
    await until('nearly all was used', async () => {
      for (const limiter of all) if ((await limiter.check('p', 'several')).allowed) counts[0] += 1
      return counts.reduce((one, other) => one + other) >= LIMIT * 0.97
    })
    assert.ok(counts.reduce((one, other) => one + other) <= LIMIT)
  })

  test('of concurrent calls are taken together', async () => {
    const limiter = makeLimiter()
    const results = await Promise.all(Array.from({ length: 500 }, () => limiter.check('p', 'together')))
    assert.ok(results.every(({ allowed }) => allowed))
    const few = await Promise.all(Array.from({ length: 10 }, () => limiter.check('small', 'together')))
    assert.equal(few.filter(({ allowed }) => allowed).length, 3)
  })

  test('that are not used are given back', async () => {
    const [limiter, other] = [makeLimiter(), makeLimiter()]
    await exhaust(limiter, 'p', 'idle', 1000)
    const { remaining } = await other.peek('p', 'idle')
    assert.ok(remaining < LIMIT - 1000, 'some are leased')
    await until('they are given back', async () => (await other.peek('p', 'idle')).remaining === LIMIT - 1000)
  })

  test('are given back by a service that is disconnected', async () => {
    const service = new RedisService({ url: server.url })
    const limiter = new RateLimiter(service, { policies })
    await exhaust(limiter, 'p', 'closed', 1000)
    await service.disconnect()
    assert.equal((await makeLimiter().peek('p', 'closed')).remaining, LIMIT - 1000)
    await refuses(limiter.check('p', 'closed'), 'E_CLOSED')
  })

  test('end with their window', async () => {
    const limiter = makeLimiter()
    const windows = new Map()
    const until = Date.now() + 3000
    while (Date.now() < until) {
      const { allowed, resetTime } = await limiter.check('short', 'windows')
      if (!allowed) continue
      assert.ok(Date.now() <= resetTime, 'not after its window')
      windows.set(resetTime, (windows.get(resetTime) ?? 0) + 1)
    }
    assert.ok(windows.size >= 3)
    assert.ok(
      [...windows.values()].every((count) => count <= 1000),
      [...windows.values()].join(),
    )
  })

  test('count hits of any cost', async () => {
    const limiter = makeLimiter()
    const check = (cost) => limiter.check('p', 'cost', { cost })
    assert.equal((await check(4000)).allowed, true)
    assert.equal((await check(7000)).allowed, false)
    assert.equal((await check(6000)).allowed, true, 'what is leased is part of what is left')
    assert.deepEqual(await check(1).then(({ allowed, remaining }) => [allowed, remaining]), [false, 0])
    assert.equal((await check(0)).source, 'store')
    for (const cost of [-1, 0.5, NaN, '1']) await refuses(check(cost), 'E_INVALID_ARGUMENT')
  })

  test('are no part of other calls, which ask the store', async () => {
    const limiter = makeLimiter()
    for (const options of [{ limit: 5 }, { refundable: true }]) {
      assert.equal((await limiter.check('p', 'options', options)).source, 'store')
    }
    assert.equal((await limiter.checkAll([{ policy: 'p', identifier: 'options' }])).results[0].source, 'store')
    // One with limits of its own decides from a share that is there.
    assert.equal((await limiter.with({ timeoutMs: 1000 }).check('p', 'options')).source, 'store')
    await exhaust(limiter, 'p', 'options', 1000)
    assert.equal((await limiter.check('p', 'options', { timeoutMs: 1000 })).source, 'share')
    const aborted = AbortSignal.abort()
    await refuses(limiter.check('p', 'options', { signal: aborted }), 'E_ABORTED')
  })

  test('of a period of the calendar', async () => {
    const limiter = makeLimiter()
    assert.equal(await exhaust(limiter, 'day', 'calendar'), 1000)
  })

  test('end at once where an identifier is blocked, and within a second elsewhere', async () => {
    const [limiter, other] = [makeLimiter(), makeLimiter()]
    for (const each of [limiter, other]) await exhaust(each, 'p', 'blocked', 1000)
    await limiter.block('p', 'blocked', 30)
    assert.equal((await limiter.check('p', 'blocked')).allowed, false)
    const began = performance.now()
    await until('it is refused', async () => !(await other.check('p', 'blocked')).allowed)
    assert.ok(performance.now() - began < 2000)
    await limiter.unblock('p', 'blocked')
    assert.equal((await limiter.check('p', 'blocked')).allowed, true)
  })

  test('are decided from without a server for as long as they last', async () => {
    const own = await startRedis()
    const service = new RedisService({ url: own.url, timeoutMs: 300, log: false })
    const limiter = new RateLimiter(service, { policies, onUnavailable: 'deny' })
    await exhaust(limiter, 'p', 'outage', 2000)
    await own.stop()
    assert.equal((await limiter.check('p', 'outage')).source, 'share')
    await until('it is over', async () => (await limiter.check('p', 'outage')).source === 'fallback')
    assert.equal((await limiter.check('p', 'outage')).allowed, false)
    await service.disconnect()
  })

  test('are counted, and so is who is refused', async () => {
    const seen = []
    const limiter = makeLimiter({}, { log: ({ type }) => seen.push(type) })
    await exhaust(limiter, 'small', 'counted')
    for (let n = 0; n < 96; n++) await limiter.check('small', 'counted')
    assert.deepEqual(limiter.stats(), { allowed: 3, refused: 97, cached: 0, uncounted: 0 })
    assert.deepEqual(limiter.offenders(), [{ policy: 'small', identifier: 'counted', refused: 97 }])
    await until('it is reported', () => seen.filter((type) => type === 'limit-refused').length === 1)
  })

  test('are taken for up to 10,000 identifiers, and more are checked by the store', async () => {
    const limiter = makeLimiter()
    const checks = Array.from({ length: 11_000 }, (_, n) => limiter.check('small', `many ${n}`))
    const results = await Promise.all(checks)
    assert.ok(results.every(({ allowed }) => allowed))
    const counts = Object.groupBy?.(results, ({ source }) => source)
    if (counts) assert.deepEqual([counts.share.length, counts.store.length], [10_000, 1000])
  })

  test('exist on servers only', async () => {
    const service = await engines[0].makeService()
    const limiter = new RateLimiter(service, { policies })
    const { allowed, source } = await limiter.check('p', 'embedded')
    assert.deepEqual([allowed, source], [true, 'store'])
    await service.disconnect()
  })

  test('need an algorithm whose hits may be used later than they were counted', async () => {
    const make = (policy) => () => makeLimiter({ policies: { p: { limit: 5, mode: 'shares', ...policy } } })
    for (const policy of [{ per: 60 }, { algorithm: 'sliding-window', per: 60 }, { algorithm: 'concurrency' }]) {
      assert.throws(make(policy), { code: 'E_INVALID_ARGUMENT', message: /policies\.p: mode 'shares'/ })
    }
    assert.throws(make({ algorithm: 'fixed-window', per: 60, shadow: true }), { code: 'E_INVALID_ARGUMENT' })
    assert.throws(make({ algorithm: 'fixed-window', per: 60, mode: 'share' }), { code: 'E_INVALID_ARGUMENT' })
    for (const limit of [0, Infinity]) {
      const limiter = makeLimiter({ policies: { p: { algorithm: 'fixed-window', per: 60, limit, mode: 'shares' } } })
      assert.equal((await limiter.check('p', 'x')).allowed, limit > 0)
    }
  })

  test('do not keep a process alive', async () => {
    const source = `
      import { RedisService, RateLimiter } from 'cinnabar'
      const service = new RedisService({ url: '${server.url}' })
      const limiter = new RateLimiter(service, { policies: ${JSON.stringify({ p: policies.p })} })
      for (let n = 0; n < 1000; n++) await limiter.check('p', 'alive')
      console.log('done')`
    const { status, out } = await runModule(source)
    assert.deepEqual([status, out], [0, 'done\n'])
  })

  test('never exceed the limit together while processes and the server are killed', { timeout: 120_000 }, async () => {
    const args = [
      '--processes',
      4,
      '--windows',
      50,
      '--round',
      4,
      '--seconds',
      4,
      '--limit',
      20_000,
      '--commands',
      0.02,
    ].map(String)
    const { status, out, err } = await runNode([join(root, 'scripts/shares.mjs'), ...args], { timeout: 110_000 })
    assert.equal(status, 0, out + err)
  })
})
