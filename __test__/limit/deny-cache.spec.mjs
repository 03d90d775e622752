// What the store refused is refused here without asking it, and never for longer than there.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { after, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'

import { RateLimiter, RedisService } from 'cinnabar'

import { root, until } from '../helpers.mjs'
import { startMonitor } from '../support/monitor.mjs'
import { startRedis } from '../support/redis.mjs'

const server = await startRedis()
after(() => server.stop())

const policies = {
  p: { limit: 2, per: 60 },
  fast: { algorithm: 'fixed-window', limit: 1, per: 0.3 },
  shadow: { limit: 1, per: 60, shadow: true },
}

// In seconds: much less than the 10 after which a refusal is asked about again by itself.
const SOON = 3

const services = []

/** A limiter on a service of its own: as another process has it. */
const makeLimiter = (options) => {
  const service = new RedisService({ url: server.url, poolSize: 1 + services.length })
  services.push(service)
  return new RateLimiter(service, { policies, ...options })
}
after(() => Promise.all(services.map((service) => service.disconnect())))

/** Refused until the refusal is remembered, which the subscription to changes has to precede. */
const remembered = (check) => until('it is remembered', async () => (await check()).source === 'cache')

/** How many scripts a server runs while `work` does. */
async function scriptsDuring(work) {
  const monitor = await startMonitor(server)
  await work()
  const commands = await monitor.stop()
  return commands.filter(({ words, script }) => !script && /^eval/i.test(words[0])).length
}

describe('what was refused', () => {
  test('costs no call, under a policy and in a window of its own', async () => {
    const limiter = makeLimiter()
    for (const check of [
      () => limiter.check('p', 'flood'),
      () => limiter.checkRateLimit('flood', 2, 60),
      async () => ({ source: (await limiter.checkLimit('ratelimit:flood', 2, 60)) ? 'store' : 'cache' }),
    ]) {
      await check()
      await check()
      await remembered(check)
      const results = []
      const scripts = await scriptsDuring(async () => {
        for (let i = 0; i < 1000; i++) results.push(await check())
      })
      assert.equal(scripts, 0)
      assert.ok(results.every(({ source }) => source === 'cache'))
    }
    const refused = await limiter.check('p', 'flood')
    const peeked = await limiter.peek('p', 'flood')
    assert.equal(peeked.source, 'store')
    assert.ok(Math.abs(refused.retryAfterMs - peeked.retryAfterMs) < 1000, 'it says how long, as the store does')
    assert.deepEqual([refused.allowed, refused.limit, refused.remaining], [false, 2, 0])
    assert.ok(Math.abs(refused.resetMs - peeked.resetMs) < 1000)
  })

  test('is allowed as soon as the store allows it', async () => {
    const limiter = makeLimiter()
    const check = () => limiter.check('fast', 'window')
    await check()
    await remembered(check)
    for (let round = 0; round < 3; round++) {
      let refusal
      for (;;) {
        const began = performance.now()
        const result = await check()
        if (result.allowed) break
        refusal = { began, ...result }
      }
      // What the last one said has come true: a refusal ends when it said, and no sooner. Milliseconds are rounded.
      if (refusal) assert.ok(performance.now() >= refusal.began + refusal.retryAfterMs - 2, JSON.stringify(refusal))
    }
  })

  test('is allowed at once when another process resets, refunds or overrides it', async () => {
    const [here, there] = [makeLimiter(), makeLimiter()]
    const check = () => here.check('p', 'forgiven')
    const { charge } = await here.check('p', 'forgiven', { refundable: true })
    await check()
    for (const forgive of [
      () => there.refund('p', 'forgiven', charge),
      () => there.reset('p', 'forgiven'),
      () => there.override('p', 'forgiven', { limit: 3, ttlSeconds: 60 }),
    ]) {
      await remembered(check)
      await forgive()
      await until('it is allowed', async () => (await check()).allowed, SOON)
      while ((await check()).allowed);
    }
    await here.checkRateLimit('window', 1, 60)
    await remembered(() => here.checkRateLimit('window', 1, 60))
    assert.equal(await there.resetRateLimit('window'), 1)
    await until('it is allowed', async () => (await here.checkRateLimit('window', 1, 60)).allowed, SOON)
  })

  test('is allowed at once when it is reset here', async () => {
    const limiter = makeLimiter()
    const check = () => limiter.check('p', 'own')
    await check()
    await check()
    await remembered(check)
    assert.equal(await limiter.reset('p', 'own'), true)
    assert.equal((await check()).allowed, true)
  })

  test('is asked about again for less, for another limit, and where nothing is remembered', async () => {
    const limiter = makeLimiter()
    await limiter.check('p', 'cheap')
    await remembered(() => limiter.check('p', 'cheap', { cost: 2 }))
    assert.deepEqual(
      [await limiter.check('p', 'cheap', { limit: 9, cost: 2 }), await limiter.check('p', 'other')].map(
        ({ allowed, source }) => [allowed, source],
      ),
      [
        [true, 'store'],
        [true, 'store'],
      ],
    )
    const forgetful = makeLimiter({ denyCache: false })
    for (let i = 0; i < 5; i++) assert.equal((await forgetful.check('p', 'forgetful')).source, 'store')
    for (let i = 0; i < 5; i++) assert.equal((await limiter.check('shadow', 'seen')).source, 'store')
  })

  test('is forgotten when messages may have been lost', async () => {
    const limiter = makeLimiter()
    const check = () => limiter.check('p', 'gap')
    await check()
    await check()
    await remembered(check)
    // As after a restart without data.
    await server.command('FLUSHALL')
    await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
    await until('it is allowed', async () => (await check()).allowed, SOON)
  })

  test('is known to all worker threads of a process', async () => {
    const limiter = makeLimiter()
    const check = () => limiter.check('p', 'threads')
    await check()
    await check()
    await remembered(check)
    const source = `
      const { parentPort } = require('node:worker_threads')
      const { RateLimiter, RedisService } = require('cinnabar')
      const service = new RedisService({ url: ${JSON.stringify(server.url)}, poolSize: ${services.length} })
      const limiter = new RateLimiter(service, { policies: ${JSON.stringify(policies)} })
      limiter.check('p', 'threads').then(async ({ source }) => {
        await service.disconnect()
        parentPort.postMessage(source)
      })`
    const worker = new Worker(source, { eval: true, env: { ...process.env, NODE_PATH: root } })
    // A message and the exit may arrive in one turn of the event loop.
    const exited = once(worker, 'exit')
    const [seen] = await once(worker, 'message')
    assert.equal(seen, 'cache')
    await exited
  })
})
