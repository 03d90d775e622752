// The storage in @nestjs/throttler itself, in an application of Nest, over HTTP.
import 'reflect-metadata'

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { Controller, Get, Module } from '@nestjs/common'
import { APP_GUARD, NestFactory } from '@nestjs/core'
import { ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler'
import { RedisService } from 'cinnabar'
import { CinnabarThrottlerStorage } from 'cinnabar/nestjs-throttler'

import { until } from '../helpers.mjs'
import { engines, freePort } from '../support/engines.mjs'
import { startMonitor } from '../support/monitor.mjs'

/** Starts an application with one route. Decorators are called as what they are: functions. */
async function serve(storage, throttlers) {
  class AppController {
    hello() {
      return 'hello'
    }
  }
  Controller()(AppController)
  Get()(AppController.prototype, 'hello', Object.getOwnPropertyDescriptor(AppController.prototype, 'hello'))
  class AppModule {}
  const guard = { provide: APP_GUARD, useClass: ThrottlerGuard }
  const imports = [ThrottlerModule.forRoot({ throttlers, storage })]
  Module({ imports, controllers: [AppController], providers: [guard] })(AppModule)
  const app = await NestFactory.create(AppModule, { logger: false })
  await app.listen(0, '127.0.0.1')
  after(() => app.close())
  return () => fetch(`http://127.0.0.1:${app.getHttpServer().address().port}/`)
}

for (const engine of engines) {
  describe(`@nestjs/throttler on ${engine.name}`, async () => {
    const service = await engine.makeService()
    after(() => service.disconnect())
    let number = 0
    const makeStorage = (options) => new CinnabarThrottlerStorage({ service, prefix: `t${number++}:`, ...options })

    test('limits a route, over several processes', async () => {
      const throttlers = [{ ttl: 60_000, limit: 2 }]
      const [one, two] = [
        await serve(makeStorage({ prefix: 'shared:' }), throttlers),
        await serve(makeStorage({ prefix: 'shared:' }), throttlers),
      ]
      const [first, second, third] = [await one(), await two(), await one()]
      assert.deepEqual([first.status, second.status, third.status, (await two()).status], [200, 200, 429, 429])
      const headers = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'x-ratelimit-reset'].map((name) =>
        first.headers.get(name),
      )
      assert.deepEqual(headers.slice(0, 2), ['2', '1'])
      // A sliding window counts a request for up to a tenth longer.
      assert.ok(headers[2] >= 60 && headers[2] <= 66, headers[2])
      assert.equal(third.headers.get('retry-after'), '60', 'it is blocked for its ttl')
    })

    test('several limits of a route have counters of their own', async () => {
      const send = await serve(makeStorage(), [
        { name: 'short', ttl: 60_000, limit: 1 },
        { name: 'long', ttl: 600_000, limit: 5 },
      ])
      const response = await send()
      assert.equal(response.headers.get('x-ratelimit-remaining-short'), '0')
      assert.equal(response.headers.get('x-ratelimit-remaining-long'), '4')
      assert.equal((await send()).headers.get('retry-after-short'), '60')
    })

    test('several limits of a route have counters of their own, also if the application gives them one key', async () => {
      const generateKey = () => 'key'
      const send = await serve(makeStorage(), [
        { name: 'short', ttl: 60_000, limit: 1, generateKey },
        { name: 'long', ttl: 120_000, limit: 5, generateKey },
      ])
      const { headers } = await send()
      assert.deepEqual(
        ['short', 'long'].map((name) => headers.get(`x-ratelimit-remaining-${name}`)),
        ['0', '4'],
      )
    })

    test('a limit of 0 has a time to come back', async () => {
      const storage = makeStorage()
      for (let i = 0; i < 2; i++) {
        const { isBlocked, timeToBlockExpire } = await storage.increment('key', 60_000, 0, 0, 'default')
        assert.deepEqual([isBlocked, timeToBlockExpire], [true, 60])
      }
    })

    test('a block begins with the first refusal, is not extended, and ends with nothing counted', async () => {
      const storage = makeStorage({ denyCache: false })
      const blockMs = 5000
      const increment = () => storage.increment('key', 60_000, 2, blockMs, 'default')
      const first = await increment()
      assert.ok(first.timeToExpire >= 60 && first.timeToExpire <= 66, String(first.timeToExpire))
      assert.deepEqual(first, {
        totalHits: 1,
        timeToExpire: first.timeToExpire,
        isBlocked: false,
        timeToBlockExpire: 0,
      })
      assert.equal((await increment()).totalHits, 2)
      const began = performance.now()
      const blocked = await increment()
      assert.deepEqual([blocked.totalHits, blocked.isBlocked, blocked.timeToBlockExpire], [3, true, 5])
      await engine.advance?.(service, 4000)
      const again = await increment()
      assert.ok(again.isBlocked && again.timeToBlockExpire <= (engine.advance ? 1 : 5), JSON.stringify(again))
      await engine.advance?.(service, 1000)
      let after
      // Each attempt is refused, and none extends the block.
      await until('the block ends', async () => !(after = await increment()).isBlocked)
      if (!engine.advance) assert.ok(performance.now() - began >= blockMs - 10)
      assert.deepEqual([after.totalHits, after.isBlocked], [1, false])
    })

    test('without a block, a refused request has to wait for the window only', async () => {
      const storage = makeStorage()
      const increment = () => storage.increment('key', 60_000, 1, 0, 'default')
      await increment()
      const { isBlocked, timeToBlockExpire } = await increment()
      assert.ok(isBlocked && timeToBlockExpire >= 54 && timeToBlockExpire <= 66, String(timeToBlockExpire))
    })

    test('no more than the limit of requests at the same time are admitted', async () => {
      const storage = makeStorage()
      const all = await Promise.all(
        Array.from({ length: 200 }, () => storage.increment('flood', 60_000, 7, 60_000, 'default')),
      )
      assert.equal(all.filter(({ isBlocked }) => !isBlocked).length, 7)
    })
  })
}

test('a block begins in one step', async () => {
  const redis = engines.find(({ server }) => server)
  const service = await redis.makeService()
  after(() => service.disconnect())
  const storage = new CinnabarThrottlerStorage({ service, prefix: 'once:' })
  const increment = () => storage.increment('key', 60_000, 1, 30_000, 'default')
  await increment()
  const monitor = await startMonitor(redis.server)
  assert.equal((await increment()).timeToBlockExpire, 30)
  const scripts = (await monitor.stop()).filter(({ words, script }) => !script && /^eval/i.test(words[0]))
  assert.equal(scripts.length, 2, 'a check and a peek in one, and the block with what it forgets')
})

test('without a server requests pass, unless onUnavailable says otherwise', async () => {
  const service = new RedisService({ url: `redis://127.0.0.1:${await freePort()}`, connectWaitMs: 50, log: false })
  after(() => service.disconnect())
  const open = new CinnabarThrottlerStorage({ service, prefix: 'a:' })
  assert.deepEqual(await open.increment('k', 1000, 1, 1000, 'default'), {
    totalHits: 0,
    timeToExpire: 1,
    isBlocked: false,
    timeToBlockExpire: 0,
  })
  const local = new CinnabarThrottlerStorage({ service, prefix: 'b:', onUnavailable: 'local' })
  assert.equal((await local.increment('k', 60_000, 1, 60_000, 'default')).isBlocked, false)
  assert.equal((await local.increment('k', 60_000, 1, 60_000, 'default')).isBlocked, true)
  const denying = await serve(new CinnabarThrottlerStorage({ service, prefix: 'd:', onUnavailable: 'deny' }), [
    { ttl: 60_000, limit: 2 },
  ])
  const denied = await denying()
  assert.deepEqual([denied.status, denied.headers.get('retry-after')], [429, '1'])
  const closed = new CinnabarThrottlerStorage({ service, prefix: 'c:', onUnavailable: 'throw' })
  await assert.rejects(closed.increment('k', 1000, 1, 1000, 'default'), { code: 'E_UNAVAILABLE' })
})

test('what the program got wrong is an error', async () => {
  const service = await engines[0].makeService()
  after(() => service.disconnect())
  for (const wrong of [{ client: {} }, { service: {} }, { prefix: 1 }, { onUnavailable: 'pass' }, { denyCache: 1 }]) {
    const make = () => new CinnabarThrottlerStorage({ service, ...wrong })
    assert.throws(make, { name: 'CinnabarError' }, JSON.stringify(wrong))
  }
  for (const wrong of ['x', null, []]) {
    assert.throws(() => new CinnabarThrottlerStorage(wrong), { code: 'E_INVALID_ARGUMENT' })
  }
})
