import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { ApiCache, JobQueue, RedisService, SessionManager } from 'cinnabar'

import { deferred, rawClient, refuses, runJson, runNode, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const redis = engines.find((engine) => engine.kind === 'redis')

/** How long a promise takes to reject with this code, in ms; with `reported`, also how late a timer of that time is meanwhile. */
async function rejectsAfter(make, code, reported = 0) {
  const start = performance.now()
  const timer = sleep(reported).then(() => Math.max(0, performance.now() - start - reported))
  const error = await refuses(make(), code)
  return { ms: performance.now() - start, late: await timer, error }
}

/** A proxy to a server that delays every reply. */
async function slowly(port, ms) {
  const sockets = new Set()
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1')
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => {})
    }
    client.pipe(server)
    server.on('data', (data) => setTimeout(() => client.destroyed || client.write(data), ms))
    client.on('close', () => server.destroy())
  })
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  return {
    url: `redis://127.0.0.1:${proxy.address().port}`,
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => proxy.close(resolve))
    },
  }
}

describe('deadlines', () => {
  test('a call is settled at its deadline, and its neighbour of the same tick is not touched', async () => {
    const service = await redis.makeService()
    await service.set('key', 'value')
    const quick = service.with({ timeoutMs: 100 })
    let patient
    const times = await redis.server.whilePaused(async () => {
      const times = []
      for (let i = 0; i < 5; i++) {
        patient ??= service.get('key')
        times.push(await rejectsAfter(() => quick.get('key'), 'E_TIMEOUT', 100))
      }
      times.push(await rejectsAfter(() => quick.set('key', 'other'), 'E_MAYBE_APPLIED', 100))
      return times
    })
    const all = times.map(({ ms }) => ms)
    assert.ok(Math.min(...all) >= 99, `before its time: ${all}`)
    // The median: another process may have had the processor for a moment.
    const later = times.map(({ ms, late }) => ms - late).sort((a, b) => a - b)
    assert.ok(later[3] <= 150, `more than 50 ms later than a timer: ${all}, ${later}`)
    assert.equal(await patient, 'value')
    await service.disconnect()
  })

  test('all rounds of a call share one deadline', async () => {
    const direct = await redis.makeService()
    const entries = Array.from({ length: 3000 }, (_, i) => ({ key: `k${i}`, value: i }))
    await direct.cache.setMany(entries)
    const proxy = await slowly(redis.server.port, 80)
    const service = new RedisService({ url: proxy.url })
    await service.connect()
    const start = performance.now()
    assert.equal(await service.cache.invalidateByPattern('k*'), 3000)
    const whole = performance.now() - start
    assert.ok(whole > 300, `it takes several rounds, not ${whole} ms`)
    await direct.cache.setMany(entries)
    const invalidate = () => service.cache.with({ timeoutMs: 200 }).invalidateByPattern('k*')
    const { ms, late } = await rejectsAfter(invalidate, undefined, 200)
    assert.ok(ms >= 199 && ms - late < 280, `rejected after ${ms} ms, with a timer ${late} ms late`)
    await Promise.all([service.disconnect(), direct.disconnect()])
    await proxy.close()
  })

  test('bound twice, the shorter time counts; the origin keeps its own', async () => {
    const service = await redis.makeService({ timeoutMs: 1000 })
    await service.connect()
    await redis.server.whilePaused(async () => {
      const [short, long] = [{ timeoutMs: 60 }, { timeoutMs: 20_000 }]
      const origin = refuses(service.get('key'), 'E_TIMEOUT')
      for (const bound of [service.with(short).with(long), service.with(long).with(short)]) {
        const { ms } = await rejectsAfter(() => bound.get('key'), 'E_TIMEOUT')
        assert.ok(ms >= 59 && ms < 500, `rejected after ${ms} ms`)
      }
      await origin
    })
    await service.disconnect()
  })

  test('invalid limits are refused when they are made', async () => {
    const service = await redis.makeService()
    const bad = [
      { timeoutMs: 0 },
      { timeoutMs: -1 },
      { timeoutMs: 2 ** 31 + 1 },
      { timeoutMs: NaN },
      { timeoutMs: '5' },
      { signal: null },
      { signal: {} },
      { signal: new AbortController() },
      { timeout: 5 },
      5,
    ]
    for (const limits of bad) {
      for (const thing of [service, service.cache, service.sessions, service.limiter, service.locks, service.rooms]) {
        assert.throws(() => thing.with(limits), { code: 'E_INVALID_ARGUMENT' }, JSON.stringify(limits))
      }
    }
    assert.equal(await service.with({ timeoutMs: 2 ** 31 }).get('key'), null)
    assert.equal(await service.with({}).get('key'), null)
    await service.disconnect()
  })
})

describe('signals', () => {
  test('aborted before the call: nothing is sent', async () => {
    const service = await redis.makeService()
    const client = await rawClient(service)
    const reason = new Error('gone')
    const signal = AbortSignal.abort(reason)
    await redis.server.command('CONFIG', 'RESETSTAT')
    const bound = service.with({ signal })
    const calls = [
      () => bound.set('key', 'v'),
      () => bound.connect(),
      () => bound.subscribe('c', () => {}),
      () => client.with({ signal }).set('key', 'v'),
      () => client.with({ signal }).multi().set('key', 'v').exec(),
      () => service.cache.with({ signal }).set('key', 'v'),
      () => service.cache.with({ signal }).getOrSet('key', () => assert.fail('it was loaded')),
      () => service.sessions.with({ signal }).createSession('u'),
      () => service.sessions.with({ signal }).validateSession('t', { load: () => assert.fail('it was loaded') }),
      () => service.limiter.with({ signal }).check('ip'),
      () => service.rooms.with({ signal }).addUserToRoom('r', 'u'),
      () => service.rooms.with({ signal }).join('r', 'u'),
      () => service.rooms.with({ signal }).watch('r'),
      () => service.rooms.with({ signal }).send('r', {}),
      () => service.rooms.with({ signal }).listen('r'),
      () => service.locks.with({ signal }).acquireLock('r'),
      () => service.locks.with({ signal }).withLock('r', () => assert.fail('it ran')),
    ]
    for (const call of calls) {
      const error = await refuses(call(), 'E_ABORTED')
      assert.equal(error.cause, reason)
      assert.equal(error.retryable, false)
    }
    const stats = await redis.server.command('INFO', 'commandstats')
    assert.doesNotMatch(stats, /cmdstat_(?!info|config|quit)/)
    await service.disconnect()
  })

  test('aborted in the tick of the call: nothing is sent', async () => {
    const service = await redis.makeService()
    await service.connect()
    const controller = new AbortController()
    const call = service.with({ signal: controller.signal }).set('key', 'v')
    controller.abort()
    await refuses(call, 'E_ABORTED')
    assert.equal(await service.get('key'), null)
    await service.disconnect()
  })

  test('aborted later: rejects at once, the neighbours are settled', async () => {
    const service = await redis.makeService()
    await service.set('key', 'value')
    const [one, other] = [new AbortController(), new AbortController()]
    await redis.server.whilePaused(async () => {
      const neighbours = [service.get('key'), service.with({ signal: other.signal }).get('key')]
      const calls = Array.from({ length: 100 }, () => service.with({ signal: one.signal }).get('key'))
      calls.push(service.with({ signal: other.signal }).with({ signal: one.signal }).get('key'))
      await new Promise(setImmediate)
      const start = performance.now()
      one.abort('a reason')
      for (const call of calls) assert.equal((await refuses(call, 'E_ABORTED')).cause, 'a reason')
      assert.ok(performance.now() - start < 1000, 'long before any deadline')
      redis.server.resume()
      assert.deepEqual(await Promise.all(neighbours), ['value', 'value'])
    })
    assert.equal(await service.get('key'), 'value')
    assert.deepEqual(
      [one, other].map(({ signal }) => getEventListeners(signal, 'abort').length),
      [0, 0],
    )
    await service.disconnect()
  })

  test('what waits for a connection is taken back', async () => {
    const service = await redis.makeService({ log: false })
    const controller = new AbortController()
    let stays
    await redis.server.whilePaused(async () => {
      const call = service.with({ signal: controller.signal }).set('taken back', 'v')
      stays = service.set('stays', 'v')
      await new Promise((resolve) => setTimeout(resolve, 20))
      controller.abort()
      await refuses(call, 'E_ABORTED')
    })
    assert.equal(await stays, 'OK')
    assert.equal(await service.get('taken back'), null)
    await service.disconnect()
  })

  for (const engine of engines) {
    test(`100,000 calls leave nothing on a long-lived signal, on ${engine.name}`, async () => {
      const service = await engine.makeService()
      const controller = new AbortController()
      const { signal } = controller
      const bound = service.with({ signal })
      for (let i = 0; i < 50; i++) {
        const calls = Array.from({ length: 2000 }, (_, n) => (n % 2 ? bound : service.with({ signal })).get('key'))
        assert.equal(getEventListeners(signal, 'abort').length, 1)
        await Promise.all(calls)
        assert.equal(getEventListeners(signal, 'abort').length, 0)
      }
      controller.abort()
      await refuses(bound.get('key'), 'E_ABORTED')
      await service.disconnect()
    })
  }

  test('a signal that reaches what is bound to it is collected all the same', async () => {
    const source = `
      import { RedisService } from 'cinnabar'
      const service = new RedisService({ url: 'memory:' })
      let gone = 0
      const registry = new FinalizationRegistry(() => gone++)
      for (let i = 0; i < 200; i++) {
        const { signal } = new AbortController()
        const cache = service.cache.with({ signal })
        signal.addEventListener('abort', () => cache.stats())
        registry.register(signal)
        await cache.get('key')
      }
      for (let i = 0; i < 50 && gone < 190; i++) {
        gc()
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      console.log(gone)`
    const { status, out, err } = await runNode(['--expose-gc', '--input-type=module', '-e', source])
    assert.equal(status, 0, err)
    assert.ok(Number(out) >= 190, `${out.trim()} of 200 collected`)
  })
})

for (const engine of engines) {
  describe(`flows with limits on ${engine.name}`, () => {
    test('getOrSet: one caller goes away, the load goes on for the others and fills the cache', async () => {
      const service = await engine.makeService()
      const controller = new AbortController()
      const [began, gate] = [deferred(), deferred()]
      const load = () => (began.resolve(), gate.promise)
      const leaves = service.cache.with({ signal: controller.signal }).getOrSet('key', load)
      await began.promise
      const stays = service.cache.getOrSet('key', () => assert.fail('two loads'))
      controller.abort()
      await refuses(leaves, 'E_ABORTED')
      gate.resolve('loaded')
      assert.equal(await stays, 'loaded')
      assert.equal(await service.cache.get('key'), 'loaded')
      assert.deepEqual(service.cache.with({ timeoutMs: 100 }).stats(), service.cache.stats())
      await service.disconnect()
    })

    test('validateSession: one caller goes away, the others get their user', async () => {
      const service = await engine.makeService()
      const controller = new AbortController()
      const [began, gate] = [deferred(), deferred()]
      const options = { load: () => (began.resolve(), gate.promise) }
      const leaves = service.sessions.with({ signal: controller.signal }).validateSession('token', options)
      await began.promise
      const stays = service.sessions.validateSession('token', { load: () => assert.fail('two loads') })
      controller.abort()
      await refuses(leaves, 'E_ABORTED')
      gate.resolve({ id: 7 })
      assert.deepEqual(await stays, { id: 7 })
      assert.deepEqual(await service.sessions.validateSession('token', { load: () => assert.fail('kept') }), { id: 7 })
      await service.disconnect()
    })

    test('withLock: a signal during the operation does not keep the lock', async () => {
      const service = await engine.makeService()
      const controller = new AbortController()
      const locks = service.locks.with({ signal: controller.signal, timeoutMs: 1000 })
      const done = await locks.withLock('resource', async () => {
        controller.abort()
        return 'done'
      })
      assert.equal(done, 'done')
      assert.notEqual(await service.locks.acquireLock('resource'), null, 'it was not released')
      await service.disconnect()
    })

    test('bound objects are of their class and share what they come from', async () => {
      class Mine extends ApiCache {
        constructor(service) {
          super(service, { prefix: 'mine:' })
        }
        twice(key) {
          return this.getMany([key, key])
        }
      }
      const service = await engine.makeService()
      const mine = new Mine(service)
      const bound = mine.with({ timeoutMs: 1000 })
      assert.ok(bound instanceof Mine)
      await mine.set('key', 1)
      assert.deepEqual(await bound.twice('key'), [1, 1])
      assert.deepEqual(bound.stats(), mine.stats())
      const limited = service.with({ timeoutMs: 1000 })
      assert.ok(limited instanceof RedisService)
      assert.equal(limited.isConnected, true)
      await limited.cache.set('key', 1)
      await limited.cache.get('key')
      assert.deepEqual(limited.cache.stats(), service.cache.stats())
      assert.equal(await (await rawClient(limited)).with({ timeoutMs: 500 }).ping(), 'PONG')
      await limited.disconnect()
      await refuses(service.get('key'), 'E_CLOSED')
      await service.connect()
      assert.equal(await limited.get('key'), null)
      await service.disconnect()
    })

    test('bound objects of a subclass have its methods and fields, private ones too', async () => {
      const controller = new AbortController()
      const limits = { signal: controller.signal }
      const service = await engine.makeService()
      class Fields extends SessionManager {
        #reads = 0
        name = 'fields'
        async read(id) {
          this.#reads++
          return [this.#reads, this.name, await this.getSession(id)]
        }
      }
      class Own extends SessionManager {
        #log
        constructor(log) {
          super(service, { prefix: 'own:' })
          this.#log = log
        }
        read(id) {
          return Promise.all([1, this.#log?.name ?? 'own', this.getSession(id)])
        }
      }
      // Its constructor cannot run without its own arguments.
      class Needy extends SessionManager {
        constructor(config) {
          super(config.service.here)
          this.name = config.name
        }
        read(id) {
          return Promise.all([1, this.name, this.getSession(id)])
        }
      }
      const needy = new Needy({ service: { here: service }, name: 'needy' })
      const changed = new Fields(service)
      changed.name = 'changed'
      const all = [new Fields(service), changed, new Own(), needy]
      const names = ['fields', 'changed', 'own', 'needy']
      const bound = all.map((manager) => manager.with(limits).with({ timeoutMs: 5000 }))
      for (const [at, manager] of bound.entries()) {
        assert.ok(manager instanceof all[at].constructor)
        await all[at].storeSession('s', { a: 1 })
        assert.deepEqual(await manager.read('s'), [1, names[at], { a: 1 }])
        assert.equal(manager.stats().hits, all[at].stats().hits)
      }
      class MyService extends RedisService {
        #options
        constructor(options = { log: false }) {
          super({ url: options.url, log: false })
          this.#options = options
        }
        get isMine() {
          return #options in this
        }
      }
      class MyQueue extends JobQueue {
        #added = 0
        addOne() {
          return this.add('job', ++this.#added)
        }
      }
      const mine = new MyService({ url: engine.env().REDIS_URL })
      assert.equal(mine.with(limits).isMine, true)
      assert.equal(await mine.with(limits).get('none'), null)
      const queue = new MyQueue('mine', { service }).with(limits)
      assert.equal((await queue.addOne()).data, 1)
      // What is made while a constructor runs is not taken for the bound object.
      class Nested extends SessionManager {
        constructor(...args) {
          new SessionManager(service)
          super(...args)
          this.other = new SessionManager(service)
        }
      }
      const nested = new Nested(service).with(limits)
      // Fields that cannot be defined again are those that the constructor has made.
      class Fixed extends SessionManager {
        name = 'fixed'
        constructor(...args) {
          super(...args)
          Object.defineProperty(this, 'mark', { value: Symbol('mark') })
        }
      }
      const changedFixed = Object.assign(new Fixed(service), { name: 'changed' })
      const fixed = changedFixed.with(limits)
      assert.deepEqual([fixed.name, typeof fixed.mark], ['changed', 'symbol'])
      class Frozen extends Fixed {
        constructor(...args) {
          super(...args)
          Object.freeze(this)
        }
      }
      assert.equal(new Frozen(service).with(limits).name, 'fixed')
      controller.abort()
      for (const manager of bound) await refuses(manager.read('s'), 'E_ABORTED')
      await refuses(mine.with(limits).get('none'), 'E_ABORTED')
      await refuses(queue.addOne(), 'E_ABORTED')
      await refuses(nested.getSession('s'), 'E_ABORTED')
      assert.deepEqual(await nested.other.getSession('s'), { a: 1 })
      for (const manager of all) assert.ok((await manager.read('s'))[2])
      await Promise.all([service.disconnect(), mine.disconnect()])
    })

    test('the static forms have it too', async () => {
      const seen = await runJson(
        `import * as cinnabar from 'cinnabar'
         const { redisService, SessionManager, ApiCache, RateLimiter, DistributedLock, RealtimeDataManager } = cinnabar
         const limits = { timeoutMs: 5000, signal: new AbortController().signal }
         const seen = [
           await redisService.with(limits).set('k', 'v'),
           await ApiCache.with(limits).getOrSet('k', () => 1),
           (await RateLimiter.with(limits).check('ip')).allowed,
           await DistributedLock.with(limits).withLock('r', () => 2),
           await RealtimeDataManager.with(limits).getRoomUsers('r'),
           typeof (await SessionManager.with(limits).createSession('u')),
         ]
         try { ApiCache.with({ timeoutMs: 0 }) } catch (error) { seen.push(error.code) }
         console.log(JSON.stringify(seen))
         await redisService.disconnect()`,
        { env: engine.env() },
      )
      assert.deepEqual(seen, ['OK', 1, true, 2, {}, 'string', 'E_INVALID_ARGUMENT'])
    })
  })
}

describe('shared loads on a server that hangs', () => {
  for (const [name, ask, ready] of [
    ['getOrSet', (service, load) => service.cache.getOrSet('key', load), (service) => service.cache.get('x')],
    [
      'validateSession',
      (service, load) => service.sessions.validateSession('token', { load }),
      (service) => service.sessions.getSession('x'),
    ],
  ]) {
    test(`${name}: a caller with little time does not wait until a neighbour's load is stored`, async () => {
      const service = await redis.makeService()
      await ready(service)
      const [began, gate] = [deferred(), deferred()]
      const patient = ask(service, () => (began.resolve(), gate.promise))
      await began.promise
      // Its first request gets a reply; from here on the server says nothing.
      const quick = ask(service.with({ timeoutMs: 2000 }), () => assert.fail('two loads'))
      quick.catch(() => {})
      await service.get('key')
      await redis.server.whilePaused(async () => {
        gate.resolve({ id: 7 })
        const start = performance.now()
        assert.deepEqual(await quick, { id: 7 })
        const ms = performance.now() - start
        // The server would have been waited for until the deadline of the other, after 5 s.
        assert.ok(ms < 3500, `it waited ${ms} ms for the server`)
      })
      assert.deepEqual(await patient, { id: 7 })
      await service.disconnect()
    })

    test(`${name}: a caller whose time has passed when it learns that the server hangs takes a neighbour's value at once`, async () => {
      const service = await redis.makeService()
      await ready(service)
      const [began, gate] = [deferred(), deferred()]
      const patient = ask(service, () => (began.resolve(), gate.promise))
      await began.promise
      await redis.server.whilePaused(async () => {
        const start = performance.now()
        const quick = ask(service.with({ timeoutMs: 1000 }), () => ({ id: 7 }))
        gate.resolve({ id: 7 })
        assert.deepEqual(await quick, { id: 7 })
        const ms = performance.now() - start
        // Its read takes its whole time. Twice that would be for the value to be stored.
        assert.ok(ms < 1900, `it waited ${ms} ms for the server`)
      })
      assert.deepEqual(await patient, { id: 7 })
      await service.disconnect()
    })
  }
})

describe('locks and signals on a server that hangs', () => {
  test('a caller that aborts while the lock is being taken leaves it free', async () => {
    const service = await redis.makeService()
    await service.connect()
    const controller = new AbortController()
    await redis.server.whilePaused(async () => {
      const locked = service.locks
        .with({ signal: controller.signal })
        .withLock('resource', () => assert.fail('no caller waits for it'))
      await new Promise((resolve) => setTimeout(resolve, 20))
      controller.abort()
      await refuses(locked, 'E_ABORTED')
    })
    await until('the lock is free', () => service.locks.acquireLock('resource'))
    await service.disconnect()
  })
})
