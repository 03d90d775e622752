import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'

import { RedisService, redisService } from 'cinnabar'

import { rawClient, refuses } from '../helpers.mjs'
import { engines, freePort } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`redisService on ${engine.name}`, () => {
    test('connects and disconnects, each twice, and says whether it is connected', async () => {
      const service = await engine.makeService()
      assert.equal(service.isConnected, false)
      assert.equal(service.getClient().isReady, false)
      await service.connect()
      await service.connect()
      assert.equal(service.isConnected, true)
      assert.equal(service.getClient().isReady, true)
      await service.disconnect()
      await service.disconnect()
      assert.equal(service.isConnected, false)
      assert.equal(service.getClient().isReady, false)
      await refuses(service.get('key'), 'E_CLOSED')
      await refuses(service.getClient().get('key'), 'E_CLOSED')
      await service.connect()
      assert.equal(await service.get('key'), null)
      await service.disconnect()
    })

    test('has a raw client at any time, which connects by its first call', async () => {
      const service = await engine.makeService()
      const client = service.getClient()
      assert.equal(service.getClient(), client)
      const bound = client.with({ timeoutMs: 5000 })
      assert.deepEqual([client.isReady, bound.isReady, service.isConnected], [false, false, false])
      assert.equal(await bound.set('key', 'value'), 'OK')
      assert.deepEqual([client.isReady, bound.isReady, service.isConnected], [true, true, true])
      assert.equal(await client.get('key'), 'value')
      await service.disconnect()
    })

    test('connects by its first call', async () => {
      const service = await engine.makeService()
      assert.equal(await service.set('key', 'value'), 'OK')
      assert.equal(service.isConnected, true)
      await service.disconnect()
    })

    test('reads and writes strings', async () => {
      const service = await engine.makeService()
      assert.equal(await service.get('key'), null)
      assert.equal(await service.set('key', 'välue \u0000 \u{1f980}'), 'OK')
      assert.equal(await service.get('key'), 'välue \u0000 \u{1f980}')
      assert.equal(await service.set('number', 42.5), 'OK')
      assert.equal(await service.get('number'), '42.5')
      assert.equal(await service.set('empty', ''), 'OK')
      assert.equal(await service.get('empty'), '')
      await service.disconnect()
    })

    test('sets under the conditions of NX and XX, and with the lives of EX and PX', async () => {
      const service = await engine.makeService()
      const client = await rawClient(service)
      assert.equal(await service.set('key', 'a', { XX: true }), null)
      assert.equal(await service.get('key'), null)
      assert.equal(await service.set('key', 'a', { NX: true, EX: 100 }), 'OK')
      assert.equal(await service.set('key', 'b', { NX: true }), null)
      assert.equal(await service.get('key'), 'a')
      const ttl = await client.ttl('key')
      assert.ok(ttl > 95 && ttl <= 100, `EX 100 left ${ttl}`)
      assert.equal(await service.set('key', 'b', { XX: true, PX: 50_000 }), 'OK')
      const pttl = await client.pTTL('key')
      assert.ok(pttl > 45_000 && pttl <= 50_000, `PX 50000 left ${pttl}`)
      assert.equal(await service.set('key', 'c'), 'OK')
      assert.equal(await client.ttl('key'), -1)
      await service.disconnect()
    })

    test('refuses what SET cannot mean before anything is written', async () => {
      const service = await engine.makeService()
      for (const options of [
        { EX: 0 },
        { EX: -1 },
        { EX: 1.5 },
        { EX: NaN },
        { EX: Infinity },
        { EX: '60' },
        { PX: 0 },
        { EX: 1, PX: 1 },
        { NX: true, XX: true },
        'EX',
        null,
        [],
      ]) {
        await refuses(service.set('key', 'value', options), 'E_INVALID_ARGUMENT')
      }
      await refuses(service.set('key', 'value', { ttll: 5 }), 'E_INVALID_ARGUMENT', /unknown option "ttll"/)
      await refuses(service.set('key', 'value', { ex: 5 }), 'E_INVALID_ARGUMENT', /did you mean "EX"\?/)
      for (const value of [undefined, null, {}, [], Symbol('s'), () => 1, 10n, NaN]) {
        await refuses(service.set('key', value), 'E_INVALID_ARGUMENT')
      }
      assert.equal(await service.get('key'), null)
      await service.disconnect()
    })

    test('deletes, counts and expires keys', async () => {
      const service = await engine.makeService()
      await Promise.all([service.set('a', '1'), service.set('b', '2'), service.set('c', '3')])
      assert.equal(await service.exists('a', 'b', 'none', 'a'), 3)
      assert.equal(await service.del('a', 'b', 'none'), 2)
      assert.equal(await service.exists('a'), 0)
      assert.equal(await service.expire('c', 100), true)
      assert.equal(await service.expire('none', 100), false)
      const ttl = await (await rawClient(service)).ttl('c')
      assert.ok(ttl > 95 && ttl <= 100)
      for (const seconds of [NaN, Infinity, 1.5, '60', undefined, null, {}]) {
        await refuses(service.expire('c', seconds), 'E_INVALID_ARGUMENT')
      }
      await service.disconnect()
    })

    test('reads and writes hashes', async () => {
      const service = await engine.makeService()
      assert.equal(await service.hSet('h', 'a', '1'), 1)
      assert.equal(await service.hSet('h', 'a', '2'), 0)
      assert.equal(await service.hSet('h', 'b', 3), 1)
      assert.equal(await service.hSet('h', { c: 'x', d: 'y' }), 2)
      assert.equal(await service.hGet('h', 'a'), '2')
      assert.equal(await service.hGet('h', 'none'), null)
      assert.deepEqual({ ...(await service.hGetAll('h')) }, { a: '2', b: '3', c: 'x', d: 'y' })
      assert.deepEqual({ ...(await service.hGetAll('none')) }, {})
      assert.equal(await service.hDel('h', 'a', 'b', 'none'), 2)
      assert.equal(await service.hGet('h', 'a'), null)
      await service.disconnect()
    })

    test('keeps the names of hash fields that objects already have a meaning for', async () => {
      const service = await engine.makeService()
      await service.hSet('h', '__proto__', 'x')
      await service.hSet('h', 'constructor', 'y')
      const all = await service.hGetAll('h')
      assert.deepEqual(Object.entries(all).sort(), [
        ['__proto__', 'x'],
        ['constructor', 'y'],
      ])
      await service.disconnect()
    })

    test('settles in order within one tick and across many', async () => {
      const service = await engine.makeService()
      const results = []
      for (let i = 0; i < 200; i++) results.push(service.set(`key:${i}`, String(i)), service.get(`key:${i}`))
      const settled = await Promise.all(results)
      for (let i = 0; i < 200; i++) assert.deepEqual(settled.slice(2 * i, 2 * i + 2), ['OK', String(i)])
      await service.disconnect()
    })

    test('keeps the order of calls that are not awaited, those before it is connected too', async () => {
      const service = await engine.makeService()
      const results = []
      for (let i = 0; i < 50; i++) {
        results.push(service.set('last', i))
        await (i % 2 ? null : new Promise(setImmediate))
      }
      await Promise.all(results)
      assert.equal(await service.get('last'), '49')
      await service.disconnect()
    })

    test('says how it is', async () => {
      const service = await engine.makeService()
      const health = await service.healthCheck()
      assert.equal(health.status, 'connected')
      assert.match(health.latency, /^\d+ms$/)
      assert.deepEqual(Object.keys(health), ['status', 'latency', 'host', 'port'])
      if (engine.kind === 'redis') assert.deepEqual([health.host, health.port], ['127.0.0.1', engine.server.port])
      await service.disconnect()
      assert.equal((await service.healthCheck()).status, 'disconnected')
    })

    test('refuses to store into a key of another type, in a typed way', async () => {
      const service = await engine.makeService()
      await service.hSet('h', 'a', '1')
      const error = await refuses(service.get('h'), 'E_WRONG_TYPE', /WRONGTYPE/)
      assert.equal(error.retryable, false)
      await service.disconnect()
    })

    test('is disconnected at the end of `await using`', async () => {
      const service = await engine.makeService()
      await service.connect()
      await service[Symbol.asyncDispose]()
      assert.equal(service.isConnected, false)
    })

    test('has a cache, sessions, limits, locks and rooms of its own, always the same ones', async () => {
      const service = await engine.makeService()
      for (const name of ['cache', 'sessions', 'limiter', 'locks', 'rooms']) {
        assert.ok(service[name], name)
        assert.equal(service[name], service[name])
      }
      await service.cache.set('key', { a: 1 })
      assert.deepEqual(await service.cache.get('key'), { a: 1 })
      await service.disconnect()
    })
  })
}

describe('a service object', () => {
  test('refuses unknown options with the nearest known name, and bad values, at once', () => {
    const cases = [
      [{ ur: 'memory:' }, /unknown option "ur"; did you mean "url"\?/],
      [{ pool_size: 3 }, /did you mean "poolSize"\?/],
      [{ qqqqqqqqqqqqqq: 3 }, /unknown option "qqqqqqqqqqqqqq"; known options: url, /],
      [{ port: '6379' }, /port/],
      [{ port: -1 }, /port/],
      [{ port: 70_000 }, /port/],
      [{ poolSize: 0 }, /poolSize/],
      [{ timeoutMs: NaN }, /timeoutMs/],
      [{ timeoutMs: Infinity }, /timeoutMs/],
      [{ retryAttempts: 1.5 }, /retryAttempts/],
      [{ tls: 'yes' }, /tls/],
      [{ onUnavailable: 'ignore' }, /onUnavailable/],
      [{ url: 42 }, /url/],
      ['redis://localhost', /options/],
      [null, /options/],
    ]
    for (const [options, message] of cases) {
      assert.throws(
        () => new RedisService(options),
        (error) => ['E_INVALID_ARGUMENT', 'E_INVALID_SETTINGS'].includes(error.code) && message.test(error.message),
        JSON.stringify(options),
      )
    }
    assert.throws(
      () => new RedisService({ url: 'gopher://localhost' }),
      (error) => error.code === 'E_INVALID_SETTINGS',
    )
  })

  test('never shows its password', () => {
    const secret = 'hunter2-not-for-logs'
    for (const options of [
      { url: `redis://user:${secret}@localhost:1/0` },
      { host: 'localhost', port: 1, username: 'user', password: secret },
    ]) {
      const service = new RedisService(options)
      const shown = [inspect(service, { depth: 10, showHidden: true }), JSON.stringify(service), String(service)]
      for (const text of shown) assert.doesNotMatch(text ?? '', /hunter2/)
      assert.match(shown[0], /localhost/)
    }
    assert.match(inspect(redisService), /RedisService/)
  })

  test('names neither password nor URL in the errors of a bad URL', () => {
    for (const url of ['redis://user:hunter2@localhost:99999', 'redis://:hunter2@local host/', 'rediss//:hunter2@x']) {
      assert.throws(
        () => new RedisService({ url }),
        (error) => error.code === 'E_INVALID_SETTINGS' && !error.message.includes('hunter2'),
        url,
      )
    }
  })

  test('rejects every call, soon and in a typed way, when no server listens', async () => {
    const service = new RedisService({
      url: `redis://127.0.0.1:${await freePort()}`,
      connectTimeoutMs: 500,
      timeoutMs: 1000,
    })
    const started = performance.now()
    const error = await refuses(service.get('key'), 'E_UNAVAILABLE')
    assert.equal(error.retryable, true)
    await refuses(service.connect(), 'E_UNAVAILABLE')
    await refuses(service.set('key', 'value'), 'E_UNAVAILABLE')
    await refuses(service.publish('channel', 1), 'E_UNAVAILABLE')
    assert.ok(performance.now() - started < 6000, 'the deadlines passed unnoticed')
    assert.equal(service.isConnected, false)
    assert.deepEqual((await service.healthCheck()).status, 'disconnected')
    await service.disconnect()
  })
})
