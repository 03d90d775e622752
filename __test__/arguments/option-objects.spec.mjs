// Options as an application has them: instances of its configuration's classes, objects with defaults, frozen ones, and those of
// another realm. They are read, or refused in words, and never ignored.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { runInNewContext } from 'node:vm'

import {
  ApiCache,
  DistributedLock,
  JobQueue,
  RateLimiter,
  RealtimeDataManager,
  RedisService,
  SessionManager,
  healthHandler,
  shutdownOnSignal,
} from 'cinnabar'

import { deferred, refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

/** The same options in every form that an object may have. */
function formsOf(options) {
  class Fields {
    constructor() {
      Object.assign(this, options)
    }
    describe() {
      return 'a method is no option'
    }
  }
  class Getters {
    #own = options
    get hidden() {
      return undefined
    }
    read(name) {
      return this.#own[name]
    }
  }
  for (const name of Object.keys(options)) {
    Object.defineProperty(Getters.prototype, name, {
      get() {
        return this.read(name)
      },
      configurable: true,
    })
  }
  class Derived extends Getters {}
  // As TypeScript compiles a class for old engines: its methods are enumerable.
  function Old() {
    Object.assign(this, options)
  }
  Old.prototype.describe = () => 'a method is no option'
  const foreign = runInNewContext('({})')
  for (const [name, value] of Object.entries(options)) foreign[name] = value
  return {
    'an instance with fields': new Fields(),
    'an instance with getters': new Getters(),
    'an instance of a derived class': new Derived(),
    'an instance of an old class': new Old(),
    'an object with defaults': Object.create(options),
    'a frozen object without a prototype': Object.freeze(Object.assign(Object.create(null), options)),
    'an object of another realm': foreign,
    'a proxy': new Proxy({ ...options }, {}),
  }
}

/** What is no options object at all, and would have none. */
const NONSENSE = () => ({
  'a Map': new Map([['ttl', 5]]),
  'a Set': new Set(['ttl']),
  'a promise': Promise.resolve({ ttl: 5 }),
  'a date': new Date(),
  'URL parameters': new URLSearchParams('ttl=5'),
  'private fields': new (class Private {
    #ttl = 5
    get life() {
      return this.#ttl
    }
  })(),
  'a map of another realm': runInNewContext('new Map()'),
  'a class': class Options {},
})

const endless = () => {
  const proxy = new Proxy({}, { getPrototypeOf: () => proxy })
  return proxy
}

for (const engine of engines) {
  describe(`an options object on ${engine.name}`, () => {
    test('is read in whatever form it comes', async () => {
      const service = await engine.makeService()
      const client = service.getClient()
      /** Asserts that there is such a key, and that it lives for so many seconds at most. */
      const lives = async (key, most, form) => {
        const ttl = await client.ttl(key)
        assert.ok(ttl > 0 && ttl <= most, `${form}: ${ttl} s`)
        await client.del(key)
      }
      for (const [form, prefix] of Object.entries(formsOf({ prefix: 'mine:' }))) {
        await new SessionManager(service, prefix).storeSession('s', { a: 1 })
        await lives('mine:s', 3600, form)
      }
      for (const [form, options] of Object.entries(formsOf({ prefix: 'c:', ttl: 50 }))) {
        await new ApiCache(service, options).set('k', 1)
        await lives('c:k', 50, form)
      }
      for (const [form, options] of Object.entries(formsOf({ prefix: 'l:', onUnavailable: 'throw' }))) {
        await new RateLimiter(service, options).checkRateLimit('k', 1, 60)
        await lives('l:k', 60, form)
      }
      for (const [form, options] of Object.entries(formsOf({ prefix: 'd:' }))) {
        await new DistributedLock(service, options).acquireLock('k')
        await lives('d:k', 30, form)
      }
      for (const [form, options] of Object.entries(formsOf({ prefix: 'r:' }))) {
        await new RealtimeDataManager(service, options).storeMessage('k', { a: 1 })
        await lives('r:k:messages', 86_400, form)
      }
      for (const [form, options] of Object.entries(formsOf({ ttl: 50, tags: ['t'] }))) {
        await service.cache.set('k', 1, options)
        await lives('api:k', 50, `set, ${form}`)
        await service.cache.getOrSet('k', () => 1, options)
        await lives('api:k', 50, `getOrSet, ${form}`)
        const id = await service.sessions.createSession('u', {}, options)
        await lives(`session:${id}`, 50, `createSession, ${form}`)
      }
      const forms = Object.keys(formsOf({}))
      await service.cache.setMany(forms.map((form) => formsOf({ key: form, value: 1, ttl: 50 })[form]))
      for (const form of forms) await lives(`api:${form}`, 50, `setMany, ${form}`)
      for (const [form, options] of Object.entries(formsOf({ EX: 50, NX: true }))) {
        assert.equal(await service.set('k', 'v', options), 'OK', form)
        assert.equal(await service.set('k', 'v', options), null, form)
        await lives('k', 50, form)
      }
      for (const [form, options] of Object.entries(formsOf({ limit: 7, windowSeconds: 60 }))) {
        assert.equal((await service.limiter.check(form, options)).limit, 7, form)
      }
      for (const [form, options] of Object.entries(formsOf({ delay: 60_000 }))) {
        const job = await service.queue('q').add('job', 1, options)
        assert.equal((await service.queue('q').get(job.id)).state, 'delayed', form)
        await service.queue('q').remove(job.id)
      }
      for (const [form, keep] of Object.entries(formsOf({ count: 0 }))) {
        const [[, all]] = Object.entries(formsOf({ prefix: 'kept:', keep: { done: keep }, service }))
        const queue = new JobQueue(form, all)
        const ran = deferred()
        const worker = queue.process(() => ran.resolve())
        const job = await queue.add('job')
        await ran.promise
        await worker.close()
        assert.equal(await queue.get(job.id), null, form)
      }
      await service.disconnect()
    })

    test('of a service is read in whatever form it comes, groups within it too', async () => {
      const { REDIS_URL: url } = engine.env()
      for (const [form, breaker] of Object.entries(formsOf({ windowMs: 5 }))) {
        const message = /breaker\.windowMs must be a number of milliseconds from 100/
        assert.throws(() => new RedisService({ url, breaker }), { code: 'E_INVALID_SETTINGS', message }, form)
      }
      for (const [form, options] of Object.entries(formsOf({ url, log: false, reconnect: { firstMs: 20 } }))) {
        const service = new RedisService(options)
        assert.equal(await service.set('k', form), 'OK')
        for (const limits of Object.values(formsOf({ signal: AbortSignal.abort() }))) {
          await refuses(service.with(limits).get('k'), 'E_ABORTED')
        }
        await service.disconnect()
      }
    })

    test('is read once, wherever its getters are', async () => {
      const service = await engine.makeService()
      let reads = 0
      // Another look would get another prefix.
      const getter = { enumerable: true, configurable: true, get: () => `read${reads++}:` }
      class Getters {}
      Object.defineProperty(Getters.prototype, 'prefix', getter)
      const defaults = Object.defineProperty({}, 'prefix', getter)
      for (const options of [defaults, Object.create(defaults), new Getters()]) {
        reads = 0
        await new SessionManager(service, options).storeSession('s', { a: 1 })
        assert.equal(reads, 1)
        assert.equal(await service.exists('read0:s'), 1)
      }
      await service.disconnect()
    })

    test('that is something else is refused', async () => {
      const service = await engine.makeService()
      const { cache, rooms, sessions } = service
      const queue = service.queue('q')
      const refused = { code: 'E_INVALID_ARGUMENT' }
      for (const [what, nonsense] of Object.entries({ ...NONSENSE(), 'an endless proxy': endless(), service })) {
        for (const make of [
          () => new RedisService(nonsense),
          () => new RedisService({ breaker: nonsense }),
          () => new SessionManager(service, nonsense),
          () => new ApiCache(service, nonsense),
          () => new RateLimiter(service, nonsense),
          () => new DistributedLock(service, nonsense),
          () => new RealtimeDataManager(service, nonsense),
          () => new JobQueue('n', nonsense),
          () => new JobQueue('n', { service, defaults: nonsense }),
          () => service.queue('n', nonsense),
          () => service.with(nonsense),
          () => cache.with(nonsense),
          () => queue.process(() => {}, nonsense),
          () => healthHandler(nonsense),
        ]) {
          assert.throws(make, ({ code }) => /^E_INVALID_(ARGUMENT|SETTINGS)$/.test(code), `${make} with ${what}`)
        }
        for (const call of [
          () => service.set('k', 'v', nonsense),
          () => service.disconnect(nonsense),
          () => service.publish('c', 1, nonsense),
          () => service.subscribe('c', () => {}, nonsense),
          () => cache.set('k', 1, nonsense),
          () => cache.setMany([nonsense]),
          () => cache.getOrSet('k', () => 1, nonsense),
          () => sessions.createSession('u', {}, nonsense),
          () => sessions.validateSession('t', nonsense),
          () => sessions.getSession('t', nonsense),
          () => sessions.describeSessions('u', nonsense),
          () => service.limiter.check('k', nonsense),
          () => rooms.watch('r', () => {}, nonsense),
          () => rooms.listen('r', () => {}, nonsense),
          () => queue.add('job', 1, nonsense),
          () => queue.addMany([nonsense]),
          () => queue.list('dead', nonsense),
          () => queue.repeat('r', nonsense, 'job', 1),
          () => queue.close(nonsense),
        ]) {
          await assert.rejects(call(), refused, `${call} with ${what}`)
        }
      }
      assert.throws(() => shutdownOnSignal(new Set(['SIGTERM'])), refused)
      assert.equal(await service.getClient().dbSize(), 0)
      await service.disconnect()
    })
  })
}
