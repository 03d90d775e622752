// Objects that throw when they are read: each call that gets one ends in the package's error, whose cause is what was thrown.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import {
  ApiCache,
  DistributedLock,
  JobQueue,
  RateLimiter,
  RealtimeDataManager,
  SessionManager,
  addressList,
  clientIp,
  healthCheck,
  healthHandler,
  shutdownOnSignal,
} from 'cinnabar'
import { advanceTime } from 'cinnabar/testing'

import { assertTyped } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

function revoked(target) {
  const { proxy, revoke } = Proxy.revocable(target, {})
  revoke()
  return proxy
}

const handler = new Proxy(
  {},
  {
    get() {
      throw new RangeError('a trap')
    },
  },
)

const unreadable = {
  'a revoked proxy': () => revoked({}),
  'a revoked proxy of an array': () => revoked([]),
  'a proxy that throws': () => new Proxy({}, handler),
  'a proxy of an array that throws': () => new Proxy([], handler),
  'a symbol': () => Symbol('odd'),
}

const features = [ApiCache, DistributedLock, RateLimiter, RealtimeDataManager, SessionManager]

/** The calls that get such an object, each in the place of one argument. */
const callsOf = (service, odd) => {
  const client = service.getClient()
  const queue = service.queue('unreadable')
  const { cache, limiter, locks, rooms, sessions } = service
  const limits = [{ signal: odd }, { timeoutMs: odd }]
  return [
    () => service.get(odd),
    () => clientIp(odd),
    () => clientIp({ headers: odd }),
    () => clientIp({ headers: {} }, { remoteAddress: odd }),
    () => clientIp({ headers: {} }, { trustedProxies: odd }),
    () => addressList(odd),
    () => addressList([odd]),
    () => service.set(odd, 'v'),
    () => service.set('k', odd),
    () => service.set('k', 'v', Object(odd)),
    () => service.del(odd),
    () => service.del('k', [odd]),
    () => service.hSet('h', odd, 'v'),
    () => service.hSet('h', { f: odd }),
    () => service.publish(odd, 1),
    () => service.subscribe('c', odd),
    () => service.queue(odd),
    () => client.mGet([odd]),
    () => client.mSet(odd),
    () => client.mSet([odd, 'v']),
    () => client.zAdd('z', odd),
    () => client.zAdd('z', [{ score: odd, value: 'a' }]),
    () => client.eval('return 1', 0, odd),
    () => client.sendCommand(odd),
    () => client.sendCommand(['GET', odd]),
    () => client.multi().set('k', odd).exec(),
    () => client.multi().sendCommand(odd).exec(),
    () => sessions.createSession(odd),
    () => sessions.getSession(odd),
    () => sessions.validateSession(odd, { load: () => null }),
    () => sessions.validateSession('token', { load: odd }),
    () => sessions.invalidateToken(odd),
    () => sessions.describeSessions('user', { current: odd }),
    () => cache.get(odd),
    () => cache.getMany(odd),
    () => cache.setMany(odd),
    () => cache.setMany([odd]),
    () => cache.set('k', 1, { tags: odd }),
    () => cache.getOrSet('k', () => 1, { tags: odd }),
    () => cache.setImageInfo('file', odd),
    () => cache.keyFor('/', [odd]),
    () => limiter.check('ip', odd),
    () => limiter.headers(odd),
    () => locks.acquireLock(odd),
    () => locks.withLock('r', () => 1, odd),
    () => rooms.addUserToRoom('room', odd),
    () => rooms.listen('room', odd),
    () => queue.add(odd),
    () => queue.addMany(odd),
    () => queue.on(odd, () => {}),
    () => queue.list(odd),
    () => new JobQueue(odd, { service }),
    () => shutdownOnSignal(odd),
    () => shutdownOnSignal(['SIGTERM'], odd),
    () => healthHandler({ service: odd }),
    () => advanceTime(odd, 1),
    ...features.map((Feature) => () => new Feature(odd)),
    ...features.map((Feature) => () => new Feature(service, { prefix: odd })),
    ...limits.flatMap((options) => [
      () => service.with(options),
      () => cache.getOrSet('k', () => 1, options),
      () => locks.withLock('r', () => 1, 5, options),
      () => queue.list('ready', options),
    ]),
  ]
}

for (const engine of engines) {
  describe(`objects that cannot be read on ${engine.name}`, () => {
    for (const [name, make] of Object.entries(unreadable)) {
      test(name, async () => {
        const service = await engine.makeService()
        try {
          await service.connect()
          for (const call of callsOf(service, make())) {
            const outcome = await (async () => call())().then(
              () => 'a value',
              (error) => error,
            )
            assert.notEqual(outcome, 'a value', String(call))
            try {
              assertTyped(outcome, 'E_INVALID_ARGUMENT')
            } catch (error) {
              // The prefix is among the settings.
              if (outcome?.code !== 'E_INVALID_SETTINGS') assert.fail(`${call}: ${error.message}`)
            }
          }
          assert.equal((await healthCheck(make())).status, 'down')
          assert.equal((await healthCheck(service, { slowMs: make() })).status, 'down')
        } finally {
          await service.disconnect()
        }
      })
    }
  })
}
