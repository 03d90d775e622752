// Shares of a limit: hits that the store has counted as spent, and that a process then allows without asking it.

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'

import { RateLimiter, RedisService } from 'cinnabar'

import { refuses, root, runModule, runNode, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { startMonitor } from '../support/monitor.mjs'
import { startRedis } from '../support/redis.mjs'
import { startProxy } from '../../tests/faults/proxy.mjs'

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

/** A way to the server that takes so many ms there and as many back. */
async function startDelay(ms) {
  const proxy = await startProxy({ target: server.port })
  await proxy.delay({ ms, direction: 'both' })
  return proxy
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

  test('serve calls with limits of their own too, which do not wait for one', async () => {
    const service = new RedisService({ url: server.url, log: false })
    const limiter = new RateLimiter(service.with({ timeoutMs: 5000 }), { policies })
    await until('it has a share', async () => (await limiter.check('p', 'limited')).source === 'share')
    await service.disconnect()
  })

  test('come to those who asked for them, however far the server is', async () => {
    const far = await startDelay(75)
    const limiter = makeLimiter({ policies: { p: { ...policies.short, limit: 10, per: 0.1 } } }, { url: far.url })
    // Each share is over when it arrives.
    const results = await Promise.all([1, 1, 4].map((cost) => limiter.check('p', 'far', { cost })))
    assert.deepEqual(
      results.map(({ allowed }) => allowed),
      [true, true, true],
    )
    const large = await Promise.all(
      Array.from({ length: 12 }, (_, n) => limiter.check('p', 'far', { cost: 1 + (n % 9) })),
    )
    assert.ok(large.every(({ retryAfterMs, allowed }) => retryAfterMs > 0 !== allowed))
    await limiter.with({ timeoutMs: 5000 }).peek('p', 'far')
    await far.close()
  })

  test('are waited for no longer than a call may take', async () => {
    const far = await startDelay(200)
    const limiter = makeLimiter({}, { url: far.url, timeoutMs: 1000 })
    const timed = async (id, cost) => {
      const began = performance.now()
      await limiter.check('small', id, { cost })
      return Math.round(performance.now() - began)
    }
    await timed('connects', 1)
    // Each round has hits for one of them, so that the others ask again.
    const times = await Promise.all(Array.from({ length: 12 }, (_, n) => timed('far', 1 + (n % 3))))
    assert.ok(Math.max(...times) < 1400, times.join())
    // A server that is silent is not waited for twice.
    await far.silent()
    const silent = await Promise.all([1, 1, 1].map((cost) => timed('silent', cost)))
    assert.ok(Math.max(...silent) < 1400, silent.join())
    await far.close()
  })

  test('are counted by a server that needs more than half of the time of a call', async () => {
    const far = await startDelay(100)
    const log = []
    const limiter = makeLimiter({}, { url: far.url, timeoutMs: 320, log: ({ type }) => log.push(type) })
    await until('it is connected', async () => (await limiter.check('p', 'half')).source !== 'fallback')
    const results = await Promise.all(Array.from({ length: 60 }, () => limiter.check('small', 'half')))
    assert.deepEqual(
      results.filter(({ source }) => source === 'fallback'),
      [],
    )
    assert.equal(results.filter(({ allowed }) => allowed).length, 3)
    assert.deepEqual(
      log.filter((type) => type === 'suspended' || type === 'down'),
      [],
    )
    await far.close()
  })

  test('that were asked for before a block, an override or the end of the service allow nothing after it', async () => {
    const far = await startDelay(10)
    const many = (limiter, id) => Promise.all(Array.from({ length: 50 }, () => limiter.check('p', id)))
    const limiter = makeLimiter({}, { url: far.url })
    await many(limiter, 'late')
    await limiter.block('p', 'late', 30)
    for (let n = 0; n < 20; n++) assert.equal((await limiter.check('p', 'late')).allowed, false)
    await many(limiter, 'override')
    await limiter.override('p', 'override', { limit: 1, ttlSeconds: 30 })
    for (let n = 0; n < 20; n++) assert.equal((await limiter.check('p', 'override')).allowed, false)
    await many(limiter, 'penalized')
    assert.equal((await limiter.penalize('p', 'penalized', { cost: LIMIT })).remaining, 0)
    assert.equal((await limiter.check('p', 'penalized')).allowed, false)

    const service = new RedisService({ url: far.url, log: false })
    const ended = new RateLimiter(service, { policies })
    await many(ended, 'ended')
    await service.disconnect()
    for (let n = 0; n < 5; n++) await refuses(ended.check('p', 'ended'), 'E_CLOSED')
    await far.close()
  })

  test('are asked for again within a second after a refusal, however long the window is', async () => {
    const [limiter, other] = [makeLimiter(), makeLimiter()]
    for (const each of [limiter, other]) await exhaust(each, 'day', 'again')
    assert.equal((await other.check('day', 'again')).allowed, false)
    await limiter.reset('day', 'again')
    await until('it is allowed', async () => (await other.check('day', 'again')).allowed, 3)
  })

  test('are not refused for longer than the server is away', async () => {
    const own = await startRedis()
    const service = new RedisService({ url: own.url, timeoutMs: 300, log: false })
    const limiter = new RateLimiter(service, { policies, onUnavailable: 'deny' })
    await own.stop()
    const { allowed, source } = await limiter.check('day', 'away')
    assert.deepEqual([allowed, source], [false, 'fallback'])
    assert.deepEqual(limiter.stats(), { allowed: 0, refused: 1, cached: 0, uncounted: 1 })
    assert.deepEqual(limiter.offenders(), [])
    await own.start()
    await until('it is counted', async () => (await limiter.check('day', 'away')).source === 'share', 5)
    await service.disconnect()
    await own.stop()
  })

  test('are counted as many as they are in this process while the server is away', async () => {
    const own = await startRedis()
    const service = new RedisService({ url: own.url, timeoutMs: 300, log: false })
    const limiter = new RateLimiter(service, { policies, onUnavailable: 'local' })
    await own.stop()
    const results = await Promise.all(Array.from({ length: 5 }, () => limiter.check('small', 'local')))
    assert.equal(results.filter(({ allowed }) => allowed).length, 3)
    assert.deepEqual(limiter.stats(), { allowed: 3, refused: 2, cached: 0, uncounted: 5 })
    await service.disconnect()
  })

  test('leave nothing behind but what is counted', async () => {
    const limiter = makeLimiter()
    for (let n = 0; n < 3; n++) {
      await exhaust(limiter, 'p', 'traces', 1000)
      // Its end gives back what is left.
      await limiter.unblock('p', 'traces')
    }
    assert.deepEqual(await server.command('KEYS', '*traces*'), ['rate_limit:{rate_limit:traces}:p'])
  })

  test('of costs up to 2^53 are added up without an error', async () => {
    const huge = { p: { ...policies.p, limit: 2 ** 53 - 1 } }
    const limiter = makeLimiter({ policies: huge })
    const costs = [1, 2 ** 53 - 1, 2 ** 53 - 1, 1]
    const results = await Promise.all(costs.map((cost) => limiter.check('p', 'huge', { cost })))
    const spent = costs.filter((_, at) => results[at].allowed).reduce((sum, cost) => sum + cost)
    assert.ok(spent <= 2 ** 53 - 1)
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
