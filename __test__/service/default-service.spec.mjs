import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { runJson, runModule } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'

const server = await startRedis()

const MANAGERS = `
  import { ApiCache, DistributedLock, RateLimiter, RealtimeDataManager, SessionManager } from 'cinnabar'
  const managers = {
    cache: new ApiCache(),
    limiter: new RateLimiter(),
    locks: new DistributedLock(),
    rooms: new RealtimeDataManager(),
    sessions: new SessionManager(),
  }`

describe('a manager without a service', () => {
  test('is on the default one, whose settings may come after it is made', async () => {
    const found = await runJson(
      `${MANAGERS}
      process.env.REDIS_URL = process.env.LATER
      const { cache, limiter, locks, rooms, sessions } = managers
      const id = await sessions.createSession('ann', { role: 'admin' })
      await cache.set('k', 1)
      await rooms.addUserToRoom('r', 'ann')
      const token = await locks.acquireLock('l')
      const checked = await limiter.checkRateLimit('ann', 5, 60)
      const { redisService } = await import('cinnabar')
      console.log(JSON.stringify([
        (await SessionManager.getSession(id)).role,
        await ApiCache.get('k'),
        Object.keys(await RealtimeDataManager.getRoomUsers('r')),
        await DistributedLock.acquireLock('l'),
        await DistributedLock.releaseLock('l', token),
        checked.remaining,
        (await cache.with({ timeoutMs: 5000 }).get('k')),
        await cache.getOrSet('loaded', () => 2),
        (await redisService.healthCheck()).port,
      ]))`,
      { env: { LATER: server.url } },
    )
    assert.deepEqual(found, ['admin', 1, ['ann'], null, true, 4, 1, 2, server.port])
  })

  test('says in its calls what is wrong with the environment, not when it is made', async () => {
    const codes = await runJson(
      `${MANAGERS}
      const { cache, limiter, locks, rooms, sessions } = managers
      const codes = []
      for (const call of [
        () => cache.get('k'),
        () => cache.getOrSet('k', () => 1),
        () => limiter.checkRateLimit('ann'),
        () => locks.withLock('l', () => 1),
        () => rooms.getRoomUsers('r'),
        () => sessions.getSession('s'),
      ]) {
        const promise = call()
        codes.push(await promise.then(() => 'fulfilled', (error) => error.code))
      }
      console.log(JSON.stringify(codes))`,
      { env: { REDIS_URL: 'http://localhost' } },
    )
    assert.deepEqual(
      codes,
      Array.from({ length: 6 }, () => 'E_INVALID_SETTINGS'),
    )
  })

  test('says so in every call, also within limits, and never after it', async () => {
    const outcomes = await runJson(
      `${MANAGERS}
      const unseen = []
      process.on('unhandledRejection', (error) => unseen.push(error.message))
      const load = () => 1
      const args = {
        acquireAll: [['r']], setMany: [[{ key: 'k', value: 1 }]], getMany: [['k']], deleteMany: [['k']], getOrSet: ['k', load], lookup: ['k', load], keyFor: ['endpoint', {}],
        setImageInfo: ['a.png', { size: 1, type: 'image/png', hash: 'h' }], getImageInfo: ['a.png'],
        'DistributedLock.acquire': ['l'], validateSession: ['token', { load }], check: ['ip'], withLock: ['l', load], getSession: ['id'], get: ['id'],
        listen: ['r', load], watch: ['r', load], createSession: ['u'], create: ['u'], describeSessions: ['u'],
        invalidateToken: ['token'], set: ['k', 1], fromRequest: ['token'], bind: ['id', load], 'SessionManager.watch': [load],
        updateSession: ['id', {}], update: ['id', {}], peek: ['p', 'id'], penalize: ['p', 'id'], wait: ['p', 'id'], acquire: ['p', 'id'],
        checkAll: [[{ policy: 'p', identifier: 'id' }]], unblock: ['p', 'id'], reset: ['p', 'id'], restore: ['p', 'id'],
        override: ['p', 'id', { limit: 1 }], clear: [],
      }
      // Which need no service, or only once they are iterated.
      const local = ['constructor', 'with', 'withSession', 'headers', 'problem', 'keyForRoute', 'ids', 'list', 'entries']
      const outcomes = {}
      const nested = (manager) => manager.with({ timeoutMs: 50 }).with({ signal: new AbortController().signal })
      for (const manager of Object.values(managers)) {
        const methods = Object.getOwnPropertyNames(Object.getPrototypeOf(manager)).filter((name) => !local.includes(name))
        for (const each of [manager, manager.with({ timeoutMs: 50 }), nested(manager)]) {
          for (const name of methods) {
            const what = manager.constructor.name + '.' + name
            let outcome
            try {
              const promise = each[name](...(args[what] ?? args[name] ?? ['a', 'b', 5]))
              outcome = typeof promise?.then === 'function'
                ? await promise.then(() => 'fulfilled', (error) => 'rejected ' + (error.code ?? error.stack))
                : 'fulfilled'
            } catch (error) {
              outcome = 'threw ' + (error.code ?? error.stack)
            }
            (outcomes[outcome] ??= new Set()).add(what)
          }
        }
      }
      await new Promise(setImmediate)
      outcomes.unseen = unseen
      console.log(JSON.stringify(outcomes, (_, value) => (value instanceof Set ? [...value] : value)))`,
      { env: { REDIS_URL: 'http://localhost' } },
    )
    const { 'rejected E_INVALID_SETTINGS': rejected, ...others } = outcomes
    assert.deepEqual(others, {
      'threw E_INVALID_SETTINGS': [
        'ApiCache.keyFor',
        'ApiCache.peek',
        'ApiCache.stats',
        'RateLimiter.stats',
        'RateLimiter.offenders',
        'SessionManager.keyOf',
        'SessionManager.idOf',
        'SessionManager.stats',
      ],
      unseen: [],
    })
    assert.equal(new Set(rejected.map((what) => what.split('.')[0])).size, 5)
  })

  test('is made with nothing of the environment read, however a module comes by it', async () => {
    const ways = {
      'of its own': 'new JobQueue("q")',
      'within limits': 'new JobQueue("q").with({ timeoutMs: 5000 })',
      'of the service': 'redisService.queue("q")',
      'on the service': 'new JobQueue("q", { service: redisService })',
      'of the service within limits': 'redisService.with({ timeoutMs: 5000 }).queue("q")',
      'with listeners asked for': `(() => {
        const queue = new JobQueue('q')
        queue.off('completed', () => {})
        queue.removeAllListeners()
        queue.listenerCount('added')
        return queue
      })()`,
      'closed before': `await (async () => {
        const queue = new JobQueue('q')
        await queue.close()
        return queue
      })()`,
    }
    for (const [what, source] of Object.entries(ways)) {
      const port = await runJson(
        `import { JobQueue, redisService } from 'cinnabar'
        const queue = ${source}
        process.env.REDIS_URL = process.env.LATER
        await queue.add('n', 1)
        console.log((await redisService.healthCheck()).port)
        await redisService.disconnect()`,
        { env: { LATER: server.url } },
      )
      assert.equal(port, server.port, what)
    }
    const uses = {
      cache: 'set("k", 1)',
      sessions: 'createSession("u")',
      limiter: 'check("ip")',
      locks: 'acquireLock("l" + Math.random())',
      rooms: 'addUserToRoom("r", "u")',
    }
    for (const [name, use] of Object.entries(uses)) {
      for (const from of ['redisService', 'redisService.with({ timeoutMs: 5000 })']) {
        const port = await runJson(
          `import { redisService } from 'cinnabar'
          const { ${name} } = ${from}
          const bound = ${name}.with({ timeoutMs: 5000 })
          process.env.REDIS_URL = process.env.LATER
          await bound.${use}
          await ${name}.${use}
          console.log((await redisService.healthCheck()).port)
          await redisService.disconnect()`,
          { env: { LATER: server.url } },
        )
        assert.equal(port, server.port, `${name} of ${from}`)
      }
    }
  })

  test('refuses a mistake in a queue when it is made, and a mistake in the environment when it is used', async () => {
    const outcomes = await runJson(
      `import { JobQueue, redisService } from 'cinnabar'
      const code = async (call) => {
        try {
          return await call().then(() => 'fulfilled', (error) => 'rejected ' + error.code)
        } catch (error) {
          return 'threw ' + error.code
        }
      }
      const outcomes = []
      for (const args of [[''], ['q', { leaseMs: -1 }], ['q', { prefix: 5 }], ['q', { nothing: 1 }]]) {
        outcomes.push(await code(() => new JobQueue(...args)), await code(() => redisService.queue(...args)))
      }
      const queue = new JobQueue('q').with({ timeoutMs: 50 })
      for (const call of [() => queue.add('n'), () => queue.counts(), () => queue.process(() => 1), () => queue.on('added', () => 1)]) {
        outcomes.push(await code(call))
      }
      outcomes.push(queue.listenerCount('added'), await queue.close())
      console.log(JSON.stringify(outcomes))`,
      { env: { REDIS_URL: 'http://localhost' } },
    )
    assert.deepEqual(outcomes.slice(0, 8), Array(8).fill('threw E_INVALID_ARGUMENT'))
    assert.deepEqual(outcomes.slice(8), [
      ...['rejected', 'rejected', 'threw', 'threw'].map((how) => `${how} E_INVALID_SETTINGS`),
      0,
      { unfinished: [] },
    ])
  })

  test('is no manager on a service that is none', async () => {
    const { out, err } = await runModule(`
      import { ApiCache } from 'cinnabar'
      for (const service of [null, {}, 'redis://localhost']) {
        try {
          new ApiCache(service)
        } catch (error) {
          console.log(error.code)
        }
      }`)
    assert.equal(out, 'E_INVALID_ARGUMENT\n'.repeat(3), err)
  })
})
