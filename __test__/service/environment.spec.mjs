import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { createRequire } from 'node:module'
import { describe, test } from 'node:test'

import * as cinnabar from 'cinnabar'

import { runJson, runModule } from '../helpers.mjs'
import { engines, freePort, startRedis } from '../support/engines.mjs'
import { EXPORTS } from '../support/exports.mjs'

const [, redis] = engines

/** What the default service does with a round trip, in a process with exactly this environment. */
const roundTrip = (env, before = '') =>
  runJson(
    `import { redisService } from 'cinnabar'
     ${before}
     const warnings = []
     console.warn = (text) => warnings.push(text)
     const key = 'settings:' + process.pid
     let outcome
     try {
       outcome = { set: await redisService.set(key, 'v', { EX: 10 }), get: await redisService.get(key), ...(await redisService.healthCheck()) }
     } catch (error) {
       outcome = { code: error.code, message: error.message }
     }
     console.log(JSON.stringify({ ...outcome, warnings }))`,
    { env },
  )

describe('what the package exports', () => {
  test('is the same for import and require', () => {
    const required = createRequire(import.meta.url)('cinnabar')
    assert.deepEqual(Object.keys(required).sort(), EXPORTS)
    for (const name of EXPORTS) assert.equal(cinnabar[name], required[name], name)
  })

  test('has a static form of every instance method', () => {
    for (const name of ['SessionManager', 'ApiCache', 'RateLimiter', 'DistributedLock', 'RealtimeDataManager']) {
      const Class = cinnabar[name]
      // The `length` of a class is a number, as that of every function: what takes a function may rely on it.
      const others = ['constructor', 'length']
      const methods = Object.getOwnPropertyNames(Class.prototype).filter((method) => !others.includes(method))
      assert.equal(typeof Class.length, 'number')
      assert.ok(methods.length >= 4)
      for (const method of methods) {
        assert.equal(typeof Class[method], 'function', `${name}.${method}`)
      }
    }
  })
})

describe('importing', () => {
  test('reads no setting, connects to nothing and keeps nothing alive', async () => {
    let connections = 0
    const server = createServer(() => connections++)
      .listen(0, '127.0.0.1')
      .unref()
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address()
    for (const env of [{ REDIS_URL: `redis://127.0.0.1:${port}` }, { REDIS_PORT: 'abc' }, { REDIS_URL: 'nonsense' }]) {
      const { status, out, err } = await runModule(
        `import * as cinnabar from 'cinnabar'
         console.log(Object.keys(cinnabar).includes('healthCheck'), cinnabar.redisService.isConnected, cinnabar.redisService.getClient().isReady)`,
        { env: { ...env, NODE_ENV: 'production' } },
      )
      assert.deepEqual([status, out, err], [0, 'true false false\n', ''])
    }
    assert.equal(connections, 0)
    await new Promise((resolve) => server.close(resolve))
  })
})

describe('settings from the environment', () => {
  test('nothing at all: the embedded engine with one warning; in production localhost:6379', async () => {
    for (const env of [{}, { NODE_ENV: 'development' }, { NODE_ENV: 'test' }]) {
      const { get, warnings } = await roundTrip(env)
      assert.equal(get, 'v')
      assert.equal(warnings.length, 1, warnings.join('\n'))
      assert.match(warnings[0], /REDIS_URL/)
    }
    const shown = await runModule(
      `import { redisService } from 'cinnabar'
       import { inspect } from 'node:util'
       redisService.cache.stats()
       console.log(inspect(redisService))`,
      { env: { NODE_ENV: 'production' } },
    )
    assert.match(shown.out, /host: 'localhost', port: 6379/)
  })

  test('memory: is the embedded engine, without a warning', async () => {
    const { get, warnings } = await roundTrip({ REDIS_URL: 'memory:', NODE_ENV: 'production' })
    assert.deepEqual([get, warnings], ['v', []])
  })

  test('REDIS_URL, else REDIS_PUBLIC_URL, else REDIS_HOST and REDIS_PORT', async () => {
    const { port, url } = redis.server
    const closed = `redis://127.0.0.1:${await freePort()}`
    for (const env of [
      { REDIS_URL: url, REDIS_PUBLIC_URL: closed, REDIS_HOST: 'nowhere.invalid' },
      { REDIS_PUBLIC_URL: url, REDIS_HOST: 'nowhere.invalid' },
      { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(port) },
      { REDIS_PORT: String(port) },
      { REDIS_URL: '', REDIS_PORT: String(port) },
    ]) {
      const { get, port: used, message } = await roundTrip(env)
      assert.deepEqual([get, used], ['v', port], `${JSON.stringify(env)}: ${message}`)
    }
  })

  test('options win over the environment', async () => {
    const outcome = await runJson(
      `import { RedisService } from 'cinnabar'
       const service = new RedisService({ url: process.env.OTHER_URL })
       const local = new RedisService({ host: '127.0.0.1', port: Number(process.env.OTHER_PORT) })
       console.log(JSON.stringify([await service.set('k', 'v'), await local.get('k')]))`,
      {
        env: {
          REDIS_URL: 'redis://nowhere.invalid',
          OTHER_URL: redis.server.url,
          OTHER_PORT: String(redis.server.port),
        },
      },
    )
    assert.deepEqual(outcome, ['OK', 'v'])
  })

  test('the path of a URL selects the database', async () => {
    const service = await redis.makeService()
    await runJson(
      `import { redisService } from 'cinnabar'
       console.log(JSON.stringify(await redisService.set('in three', 'v')))`,
      { env: { REDIS_URL: `${redis.server.url}/3` } },
    )
    assert.equal(await service.get('in three'), null)
    const third = new cinnabar.RedisService({ url: redis.server.url, db: 3 })
    assert.equal(await third.get('in three'), 'v')
    await Promise.all([service.disconnect(), third.disconnect()])
  })

  test('REDIS_PASSWORD fills a URL without one, REDIS_USERNAME names the ACL user', async () => {
    const password = `p@ss:w/${Math.random()}`
    const server = await startRedis({ args: ['--requirepass', password], password })
    await server.command('ACL', 'SETUSER', 'app', 'on', `>${password}`, '~*', '&*', '+@all')
    const at = `127.0.0.1:${server.port}`
    for (const env of [
      { REDIS_URL: `redis://${at}`, REDIS_PASSWORD: password },
      { REDIS_URL: `redis://:${encodeURIComponent(password)}@${at}`, REDIS_PASSWORD: 'wrong' },
      { REDIS_URL: `redis://app:${encodeURIComponent(password)}@${at}` },
      { REDIS_HOST: '127.0.0.1', REDIS_PORT: String(server.port), REDIS_PASSWORD: password, REDIS_USERNAME: 'app' },
    ]) {
      const { get, message } = await roundTrip(env)
      assert.equal(get, 'v', `${Object.keys(env)}: ${message}`)
    }
    assert.equal((await roundTrip({ REDIS_URL: `redis://${at}`, REDIS_PASSWORD: 'wrong' })).code, 'E_AUTH')
    await server.stop()
  })

  test('a bad value is one clear error that names the variable', async () => {
    for (const [name, value] of [
      ['REDIS_PORT', 'abc'],
      ['REDIS_PORT', '-1'],
      ['REDIS_PORT', '70000'],
      ['REDIS_PORT', '63.79'],
      ['REDIS_TLS', 'perhaps'],
      ['REDIS_DRIVER', 'ioredis'],
      ['REDIS_POOL_SIZE', '0'],
      ['REDIS_POOL_SIZE', 'many'],
      ['REDIS_TIMEOUT', 'soon'],
      ['REDIS_TIMEOUT', '-5'],
      ['REDIS_TIMEOUT', '0'],
      ['REDIS_RETRY_ATTEMPTS', '-1'],
      ['REDIS_RETRY_ATTEMPTS', '1.5'],
      ['REDIS_URL', 'gopher://localhost'],
      ['REDIS_URL', 'localhost:6379'],
      ['REDIS_URL', 'redis://localhost/notanumber'],
    ]) {
      const { code, message } = await roundTrip({ [name]: value, NODE_ENV: 'production' })
      assert.equal(code, 'E_INVALID_SETTINGS', `${name}=${value}: ${message}`)
      assert.ok(message.includes(name), `${name}=${value}: ${message}`)
    }
  })

  test('a bad value fails the calls, not the import, and the static forms alike', async () => {
    const outcome = await runJson(
      `import * as cinnabar from 'cinnabar'
       const { redisService, SessionManager, ApiCache, RateLimiter, DistributedLock, RealtimeDataManager, publish, subscribe, healthCheck } = cinnabar
       const calls = {
         get: () => redisService.get('k'), connect: () => redisService.connect(), hGetAll: () => redisService.hGetAll('h'),
         session: () => SessionManager.getSession('x'), cache: () => ApiCache.get('k'),
         getOrSet: () => ApiCache.getOrSet('k', () => 1), limit: () => RateLimiter.checkRateLimit('u'),
         lock: () => DistributedLock.withLock('r', () => 1), room: () => RealtimeDataManager.getRoomUsers('r'),
         publish: () => publish('c', 1), subscribe: () => subscribe('c', () => {}),
       }
       const codes = {}
       for (const [name, call] of Object.entries(calls)) codes[name] = await call().then(() => 'resolved', (error) => error.code)
       codes.health = (await healthCheck()).status
       codes.ping = (await redisService.healthCheck()).status
       await redisService.disconnect()
       process.env.REDIS_PORT = ''
       process.env.REDIS_URL = 'memory:'
       codes.afterwards = await redisService.set('k', 'v')
       console.log(JSON.stringify(codes))`,
      { env: { REDIS_PORT: 'abc' } },
    )
    const { health, ping, afterwards, ...codes } = outcome
    assert.deepEqual(new Set(Object.values(codes)), new Set(['E_INVALID_SETTINGS']), JSON.stringify(codes))
    assert.deepEqual([health, ping, afterwards], ['down', 'disconnected', 'OK'])
  })

  test('REDIS_TIMEOUT is in seconds', async () => {
    const server = await startRedis()
    server.pause()
    const started = performance.now()
    const { code } = await roundTrip({ REDIS_URL: server.url, REDIS_TIMEOUT: '0.3', REDIS_RETRY_ATTEMPTS: '0' })
    server.resume()
    assert.ok(['E_TIMEOUT', 'E_UNAVAILABLE', 'E_MAYBE_APPLIED'].includes(code), code)
    assert.ok(performance.now() - started < 10_000)
    await server.stop()
  })

  test('REDIS_POOL_SIZE bounds the connections', async () => {
    const service = await redis.makeService()
    const clients = await runJson(
      `import { redisService } from 'cinnabar'
       await Promise.all(Array.from({ length: 20000 }, (_, i) => redisService.set('k' + (i % 10), 'x'.repeat(100))))
       const list = await redisService.getClient().sendCommand(['CLIENT', 'LIST', 'TYPE', 'normal'])
       console.log(list.trim().split('\\n').length)`,
      { env: { REDIS_URL: redis.server.url, REDIS_POOL_SIZE: '2' } },
    )
    // One more is the service of this process.
    assert.ok(clients <= 3 + 1, `${clients} connections`)
    await service.disconnect()
  })

  test('NODE_ENV=development returns empty values when its server is away; nothing else does', async () => {
    const url = `redis://127.0.0.1:${await freePort()}`
    const development = await roundTrip({ REDIS_URL: url, NODE_ENV: 'development' })
    assert.deepEqual([development.set, development.get, development.status], [null, null, 'disconnected'])
    assert.ok(development.warnings.includes('Redis not connected - skipping GET operation'))
    assert.ok(development.warnings.includes('Redis not connected - skipping SET operation'))
    for (const NODE_ENV of ['production', 'test', undefined]) {
      const env = NODE_ENV ? { REDIS_URL: url, NODE_ENV } : { REDIS_URL: url }
      assert.equal((await roundTrip(env)).code, 'E_UNAVAILABLE', NODE_ENV)
    }
  })
})
