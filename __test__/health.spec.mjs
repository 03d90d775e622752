import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { RedisService, healthCheck } from 'cinnabar'

import { runJson } from './helpers.mjs'
import { engines, freePort, startRedis } from './support/engines.mjs'

const PARTS = [
  'status',
  'redis',
  'sessionCache',
  'cache',
  'rateLimiter',
  'breaker',
  'performance',
  'alerts',
  'timestamp',
]

for (const engine of engines) {
  describe(`health on ${engine.name}`, () => {
    test('a healthy service, with every part of the report', async () => {
      const service = await engine.makeService()
      await service.cache.set('k', 1)
      await service.cache.get('k')
      await service.cache.get('none')
      const id = await service.sessions.create('u')
      await service.sessions.get(id)
      const health = await healthCheck(service)
      assert.equal(health.status, 'healthy', JSON.stringify(health.alerts))
      assert.deepEqual(Object.keys(health).sort(), [...PARTS].sort())
      assert.equal(health.redis.connected, true)
      assert.equal(health.redis.engine, engine.kind)
      assert.match(health.redis.version, /^\d+\.\d+/)
      assert.ok(health.redis.usedMemory > 0)
      assert.ok(Number.isInteger(health.redis.clients))
      assert.deepEqual(health.cache.metrics, { hits: 1, misses: 1, hitRate: 0.5, errors: 0 })
      assert.deepEqual(Object.keys(health.sessionCache.metrics).sort(), ['errors', 'hitRate', 'hits', 'misses'])
      assert.deepEqual(Object.keys(health.sessionCache.pool).sort(), ['available', 'pending', 'size'])
      assert.ok(health.sessionCache.pool.size >= 1)
      assert.equal(health.rateLimiter.available, true)
      assert.equal(health.breaker.state, 'closed')
      for (const what of ['ping', 'set', 'get']) assert.ok(health.performance[what] >= 0, what)
      assert.deepEqual(health.alerts, [])
      assert.equal(new Date(health.timestamp).toISOString(), health.timestamp)
      await service.disconnect()
    })

    test('leaves no key behind for long', async () => {
      const service = await engine.makeService()
      await healthCheck(service)
      const client = service.getClient()
      const { keys } = await client.scan(0, { COUNT: 100 })
      for (const key of keys) {
        const ttl = await client.pTTL(key)
        assert.ok(ttl > 0 && ttl <= 10_000, `${key}: ${ttl}`)
      }
      await service.disconnect()
    })

    test('the default service, by itself', async () => {
      const health = await runJson(
        `import { healthCheck } from 'cinnabar'
         console.log(JSON.stringify(await healthCheck()))`,
        { env: engine.env() },
      )
      assert.equal(health.status, 'healthy')
      assert.equal(health.redis.engine, engine.kind)
    })
  })
}

describe('health when things go wrong', () => {
  test('a server that is not there is down, and nothing throws', async () => {
    const service = new RedisService({ url: `redis://127.0.0.1:${await freePort()}` })
    const started = performance.now()
    const health = await healthCheck(service)
    assert.ok(performance.now() - started < 2500)
    assert.equal(health.status, 'down')
    assert.equal(health.redis.connected, false)
    assert.ok(health.alerts.length > 0)
    assert.equal(health.breaker.state, 'open')
    assert.deepEqual(Object.keys(health).sort(), [...PARTS].sort())
    assert.equal((await service.healthCheck()).status, 'disconnected')
    await service.disconnect()
  })

  test('what is no service, or has been disconnected, is down too', async () => {
    assert.equal((await healthCheck({})).status, 'down')
    assert.equal((await healthCheck(null)).status, 'down')
    const service = new RedisService({ url: 'memory:' })
    await service.disconnect()
    assert.equal((await healthCheck(service)).status, 'down')
  })

  test('answers in time when the server hangs, and again when it is back', async () => {
    const server = await startRedis()
    const service = new RedisService({ url: server.url, timeoutMs: 10_000 })
    assert.equal((await healthCheck(service)).status, 'healthy')
    server.pause()
    try {
      const started = performance.now()
      const [health, ping] = await Promise.all([healthCheck(service), service.healthCheck()])
      const took = performance.now() - started
      assert.ok(took < 2500, `took ${took} ms`)
      assert.equal(health.status, 'down')
      assert.equal(ping.status, 'disconnected')
    } finally {
      server.resume()
    }
    let health
    for (let i = 0; i < 20 && health?.status !== 'healthy'; i++) health = await healthCheck(service)
    assert.equal(health.status, 'healthy', JSON.stringify(health.alerts))
    await service.disconnect()
    await server.stop()
  })

  test('is not taken in by the empty answers of development', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    const service = new RedisService({ url, onUnavailable: 'empty', connectTimeoutMs: 500 })
    const warn = console.warn
    console.warn = () => {}
    assert.equal((await service.healthCheck()).status, 'disconnected')
    assert.equal((await healthCheck(service)).status, 'down')
    console.warn = warn
    await service.disconnect()
  })

  test('a memory that is nearly full, and evictions, are alerts', async () => {
    const server = await startRedis({ args: ['--maxmemory', '5mb', '--maxmemory-policy', 'allkeys-lru'] })
    const service = new RedisService({ url: server.url })
    assert.equal((await healthCheck(service)).status, 'healthy')
    for (let i = 0; i < 60; i++) await service.set(`big:${i}`, 'x'.repeat(100_000), { EX: 100 })
    const health = await healthCheck(service)
    assert.equal(health.status, 'degraded')
    assert.ok(health.redis.maxMemory === 5 * 1024 * 1024)
    assert.ok(
      health.alerts.some((alert) => /evict/.test(alert)),
      JSON.stringify(health.alerts),
    )
    assert.ok(
      health.alerts.some((alert) => /memory/.test(alert)),
      JSON.stringify(health.alerts),
    )
    await service.disconnect()
    await server.stop()
  })

  test('a server that takes no writes is degraded, not down', async () => {
    const server = await startRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
    const service = new RedisService({ url: server.url })
    const health = await healthCheck(service)
    assert.equal(health.status, 'degraded')
    assert.equal(health.redis.connected, true)
    assert.equal(health.performance.set, null)
    await service.disconnect()
    await server.stop()
  })
})
