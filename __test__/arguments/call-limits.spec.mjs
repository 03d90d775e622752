// `{ signal, timeoutMs }` among the options of one call.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { SessionManager } from 'cinnabar'

import { refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

/** Each method that takes call limits among its options, called with these options. */
const CALLS = {
  'cache.set': ({ cache }, options) => cache.set('k', 1, { ttl: 5, ...options }),
  'cache.getOrSet': ({ cache }, options) => cache.getOrSet('loaded', () => 1, { ttl: 5, ...options }),
  'cache.lookup': ({ cache }, options) => cache.lookup('looked up', () => 1, { ttl: 5, ...options }),
  'cache.get': ({ cache }, options) => cache.get('loaded', { frozen: true, ...options }),
  'cache.setImageInfo': ({ cache }, options) => cache.setImageInfo('a.png', new Uint8Array(4), options),
  'sessions.createSession': ({ sessions }, options) => sessions.createSession('u', {}, { ttl: 5, ...options }),
  'sessions.getSession': ({ sessions }, options) => sessions.getSession('none', options),
  'sessions.describeSessions': ({ sessions }, options) => sessions.describeSessions('u', options),
  'sessions.invalidateToken': ({ sessions }, options) => sessions.invalidateToken('token', options),
  'sessions.validateSession': ({ sessions }, options) =>
    sessions.validateSession('token', { load: () => ({ id: 'u' }), ...options }),
  'locks.withLock': ({ locks }, options) => locks.withLock('r', () => 'done', 5, options),
  'service.publish': ({ service }, options) => service.publish('channel', 1, options),
  'client.sendCommand': ({ service }, options) => service.getClient().sendCommand(['GET', 'k'], options),
  'queue.repeats': ({ queue }, options) => queue.repeats(options),
  'queue.list': ({ queue }, options) => queue.list('ready', { limit: 5, ...options }),
  'queue.logs': ({ queue }, options) => queue.logs('id', options),
  'queue.redrive': ({ queue }, options) => queue.redrive(options),
  'queue.drain': ({ queue }, options) => queue.drain(options),
  'queue.clean': ({ queue }, options) => queue.clean('done', options),
}

const never = new AbortController().signal

for (const engine of engines) {
  describe(`the limits of one call on ${engine.name}`, () => {
    let service, all

    before(async () => {
      service = await engine.makeService()
      const { cache, sessions, locks } = service
      all = { service, cache, sessions, locks, queue: service.queue('limits') }
    })
    after(() => service.disconnect())

    for (const [name, call] of Object.entries(CALLS)) {
      test(`${name} accepts and validates them`, async () => {
        await call(all, { timeoutMs: 10_000, signal: never })
        await refuses(call(all, { signal: AbortSignal.abort() }), 'E_ABORTED')
        await refuses(call(all, { timeoutMs: 0 }), 'E_INVALID_ARGUMENT', /timeoutMs/)
        await refuses(call(all, { signal: {} }), 'E_INVALID_ARGUMENT', /signal/)
        await call(all, {})
      })
    }

    test('a wait for a job ends when its signal aborts', async () => {
      const job = await all.queue.add('name', {})
      const controller = new AbortController()
      const waiting = job.finished({ signal: controller.signal, timeoutMs: 10_000 })
      controller.abort()
      await refuses(waiting, 'E_ABORTED')
      await refuses(job.finished({ timeoutMs: 50 }), 'E_TIMEOUT')
    })

    test('an aborted load continues for the other callers', async () => {
      const controller = new AbortController()
      let finish
      const load = () => new Promise((resolve) => (finish = resolve))
      const aborted = all.cache.getOrSet('shared', load, { signal: controller.signal })
      const other = all.cache.getOrSet('shared', load)
      while (!finish) await new Promise((resolve) => setImmediate(resolve))
      controller.abort()
      await refuses(aborted, 'E_ABORTED')
      finish('value')
      assert.equal(await other, 'value')
      assert.equal(await all.cache.get('shared'), 'value')
    })

    test('they apply in addition to those of with()', async () => {
      const aborted = all.sessions.with({ signal: AbortSignal.abort() })
      await refuses(aborted.describeSessions('u', { timeoutMs: 10_000, signal: never }), 'E_ABORTED')
    })

    test('they do not run the constructor of a subclass', async () => {
      let made = 0
      class AppSessions extends SessionManager {
        constructor(...args) {
          super(...args)
          made++
        }
      }
      const sessions = new AppSessions(service)
      await sessions.describeSessions('u', { timeoutMs: 10_000 })
      assert.equal(made, 1)
      assert.ok(sessions.with({ timeoutMs: 10_000 }) instanceof AppSessions)
      assert.equal(made, 2)
    })
  })
}

test('a call ends at its own timeout', async () => {
  const { makeService, server } = engines.find(({ kind }) => kind === 'redis')
  const service = await makeService({ timeoutMs: 20_000 })
  const all = { service, cache: service.cache, locks: service.locks }
  await service.get('k')
  await server.whilePaused(async () => {
    const started = performance.now()
    await refuses(CALLS['locks.withLock'](all, { timeoutMs: 60 }))
    await refuses(CALLS['client.sendCommand'](all, { timeoutMs: 60 }))
    assert.ok(performance.now() - started < 10_000)
  })
  await service.disconnect()
})
