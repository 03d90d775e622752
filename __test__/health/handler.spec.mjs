import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { RedisService, healthHandler } from 'cinnabar'

import { assertTyped, runJson, until } from '../helpers.mjs'
import { engines, freePort, startRedis } from '../support/engines.mjs'

const URL = 'http://localhost/health'
/** A handler for which a busy machine makes no server slow. */
const handlerOf = (options) => healthHandler({ slowMs: 60_000, ...options })
const ask = (handler, method = 'GET') => handler(new Request(URL, { method }))

test('a context as of Hono is asked for its request', async () => {
  const handler = handlerOf({ service: new RedisService({ url: 'memory:' }) })
  for (const [method, status] of [
    ['GET', 200],
    ['HEAD', 200],
    ['POST', 405],
  ]) {
    const raw = new Request(URL, { method })
    const response = await handler({ req: { method, raw }, json: () => assert.fail('not asked for') })
    assert.equal(response.status, status)
  }
})

for (const engine of engines) {
  describe(`the health handler on ${engine.name}`, () => {
    test('responds 200 with the report, never to be stored', async () => {
      const service = await engine.makeService()
      const response = await ask(handlerOf({ service }))
      assert.equal(response.status, 200)
      assert.equal(response.headers.get('cache-control'), 'no-store')
      assert.match(response.headers.get('content-type'), /^application\/json/)
      const { status, redis, alerts } = await response.json()
      assert.deepEqual([status, redis.engine, alerts], ['healthy', engine.kind, []])
      await service.disconnect()
    })

    test('responds without a request, to HEAD without a body, and to no other method', async () => {
      const service = await engine.makeService()
      const handler = handlerOf({ service })
      assert.equal((await (await handler()).json()).status, 'healthy')
      const head = await ask(handler, 'HEAD')
      assert.deepEqual([head.status, await head.text()], [200, ''])
      for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
        const refused = await ask(handler, method)
        assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD'], method)
        assert.equal(refused.headers.get('cache-control'), 'no-store')
        assert.equal((await refused.json()).error.code, 'method_not_allowed')
      }
      await service.disconnect()
    })

    test('says that the process is alive without a call, whatever became of the service', async () => {
      const service = await engine.makeService()
      await service.disconnect()
      const handler = handlerOf({ service, probe: 'live' })
      const response = await ask(handler)
      assert.deepEqual([response.status, await response.json()], [200, { status: 'healthy' }])
      assert.equal((await ask(handlerOf({ service, probe: 'ready' }))).status, 503)
      assert.equal((await ask(handler, 'POST')).status, 405)
      for (const probe of ['startup', '', null, 1, {}]) {
        assert.throws(() => handlerOf({ service, probe }), { code: 'E_INVALID_ARGUMENT', message: /^probe must be/ })
      }
    })

    test('shows the public nothing but the status', async () => {
      const service = await engine.makeService()
      const response = await ask(handlerOf({ service, detail: false }))
      assert.deepEqual(await response.json(), { status: 'healthy' })
      await service.disconnect()
    })

    test('is a listener of node:http', async (t) => {
      const service = await engine.makeService()
      const server = createServer(handlerOf({ service }).node).listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.after(async () => {
        server.close()
        await service.disconnect()
      })
      const url = `http://127.0.0.1:${server.address().port}`
      const response = await fetch(url)
      assert.deepEqual([response.status, response.headers.get('cache-control')], [200, 'no-store'])
      assert.equal((await response.json()).status, 'healthy')
      const head = await fetch(url, { method: 'HEAD' })
      assert.deepEqual([head.status, await head.text()], [200, ''])
      const refused = await fetch(url, { method: 'POST', body: 'x' })
      assert.deepEqual([refused.status, refused.headers.get('allow')], [405, 'GET, HEAD'])
    })
  })
}

describe('the health handler', () => {
  test('responds 503 when the server is gone, as soon as that is known', async () => {
    const service = new RedisService({ url: `redis://127.0.0.1:${await freePort()}` })
    const [whole, brief] = [handlerOf({ service }), handlerOf({ service, detail: false })]
    for (const method of ['GET', 'HEAD']) assert.equal((await ask(whole, method)).status, 503)
    assert.equal((await (await ask(whole)).json()).redis.connected, false)
    assert.deepEqual(await (await ask(brief)).json(), { status: 'down' })
    await service.disconnect()
  })

  test('responds 200 while the server is only degraded', async (t) => {
    const server = await startRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
    const service = new RedisService({ url: server.url })
    t.after(async () => {
      await service.disconnect()
      await server.kill()
    })
    const response = await ask(handlerOf({ service }))
    assert.equal(response.status, 200)
    assert.equal((await response.json()).status, 'degraded')
  })

  test('asks the server once, however many ask it, by however many handlers', async () => {
    const [, redis] = engines
    const service = await redis.makeService()
    await service.connect()
    const handlers = [handlerOf({ service }), handlerOf({ service, detail: false, maxAgeMs: 60_000 })]
    const responses = await Promise.all(Array.from({ length: 500 }, (_, i) => ask(handlers[i % 2])))
    assert.ok(responses.every(({ status }) => status === 200))
    // What comes after is served from the same report.
    responses.push(await ask(handlerOf({ service, maxAgeMs: 60_000 })))
    const reports = await Promise.all(responses.map((response) => response.json()))
    // Not by counting PINGs: on a slow machine the driver sends some of its own.
    assert.equal(new Set(reports.map(({ timestamp }) => timestamp).filter(Boolean)).size, 1)
    await service.disconnect()
  })

  test('asks again when a report has served its time, and each time when it has none', async () => {
    const [, redis] = engines
    const service = await redis.makeService()
    await service.connect()
    const timestamp = async (maxAgeMs) => (await (await ask(handlerOf({ service, maxAgeMs }))).json()).timestamp
    const fresh = new Set()
    for (let i = 0; i < 3; i++) {
      fresh.add(await timestamp(0))
      const shown = Date.now()
      await until('the clock shows another millisecond', () => Date.now() > shown)
    }
    assert.equal(fresh.size, 3)
    const [old, same] = [await timestamp(60_000), await timestamp(60_000)]
    assert.equal(same, old)
    assert.ok((await timestamp(0.001)) > old)
    await service.disconnect()
  })

  test('responds within its own timeout when the server hangs, to all requests at once', async (t) => {
    const server = await startRedis()
    const service = new RedisService({ url: server.url })
    t.after(async () => {
      await service.disconnect()
      await server.kill()
    })
    await service.connect()
    assert.equal((await ask(handlerOf({ service, maxAgeMs: 0 }))).status, 200)
    const handler = handlerOf({ service, timeoutMs: 200, maxAgeMs: 0 })
    server.pause()
    const started = performance.now()
    // How late a timer of that time is on this machine meanwhile.
    const late = sleep(200).then(() => Math.max(0, performance.now() - started - 200))
    const responses = await Promise.all(Array.from({ length: 50 }, () => ask(handler)))
    const took = performance.now() - started
    assert.ok(took >= 190 && took - (await late) < 700, `took ${took} ms, with a timer ${await late} ms late`)
    assert.ok(responses.every(({ status }) => status === 503))
    server.resume()
    let health
    while (health?.status !== 'healthy') health = await (await ask(handler)).json()
  })

  test('refuses invalid options when it is made', () => {
    const service = new RedisService({ url: 'memory:' })
    const bad = [
      null,
      7,
      service,
      { service: {} },
      { service: null },
      { timeoutMs: 0 },
      { timeoutMs: Infinity },
      { slowMs: '1' },
      { maxAgeMs: -1 },
      { maxAgeMs: NaN },
      { detail: 'no' },
      { details: false },
    ]
    for (const options of bad) {
      let error
      try {
        healthHandler(options)
      } catch (thrown) {
        error = thrown
      }
      assertTyped(error, 'E_INVALID_ARGUMENT')
    }
  })

  test('connects to nothing when it is made, and reports a bad environment when it is called', async () => {
    const source = `
      import { healthHandler, redisService } from 'cinnabar'
      const GET = healthHandler()
      const idle = redisService.isConnected
      const response = await GET()
      console.log(JSON.stringify({ idle, status: response.status, health: await response.json() }))`
    const good = await runJson(source, { env: { REDIS_URL: 'memory:' } })
    assert.deepEqual([good.idle, good.status, good.health.status], [false, 200, 'healthy'])
    const bad = await runJson(source, { env: { REDIS_PORT: 'abc' } })
    assert.deepEqual([bad.idle, bad.status, bad.health.status], [false, 503, 'down'])
    assert.match(bad.health.alerts[0], /^settings: .*REDIS_PORT/)
  })
})
