// Errors of misused calls say what to do instead.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { ApiCache, DistributedLock, RateLimiter, RealtimeDataManager, RedisService, SessionManager } from 'cinnabar'
import { advanceTime } from 'cinnabar/testing'

import { assertTyped, refuses } from '../helpers.mjs'

const service = new RedisService({ url: 'memory:mistakes' })
after(() => service.disconnect())

describe('a mistake', () => {
  test('of options or a URL in place of the service says where they go', () => {
    for (const Manager of [SessionManager, ApiCache, RateLimiter, DistributedLock, RealtimeDataManager]) {
      for (const first of [{ prefix: 'x:' }, 'redis://localhost']) {
        assert.throws(
          () => new Manager(first),
          (error) => {
            assertTyped(error, 'E_INVALID_ARGUMENT', /new RedisService\(\{ url \}\).*options are the second argument/)
            return true
          },
        )
      }
    }
  })

  test('of a forgotten await says so', async () => {
    const id = service.sessions.createSession('user')
    const calls = [
      service.sessions.updateSession(id, {}),
      service.sessions.destroySession(id),
      service.cache.get(id),
      service.limiter.checkRateLimit(id),
      service.locks.releaseLock('lock', service.locks.acquireLock('lock')),
      service.rooms.addUserToRoom('room', id),
      service.queue('mails').get(id),
    ]
    for (const call of calls) await refuses(call, 'E_INVALID_ARGUMENT', /not a promise: await it first/)
  })

  test('in a list is reported by its index', async () => {
    const tags = ['a', null]
    await refuses(
      service.sessions.createSession('user', {}, { tags }),
      'E_INVALID_ARGUMENT',
      /tags\[1\] must be a string/,
    )
    await refuses(service.cache.set('key', 1, { tags }), 'E_INVALID_ARGUMENT', /tags\[1\] must be a string/)
    const entry = { key: 'key', value: 1 }
    for (const [bad, message] of [
      [null, /entries\[1\] must be an object, got null/],
      [undefined, /entries\[1\] must be an object, got undefined/],
      [['key', 1], /entries\[1\] must be an object, got an array/],
      [Promise.resolve(entry), /entries\[1\] must be an object, got a promise: await it first/],
      [{ ...entry, tll: 5 }, /unknown option "entries\[1\]\.tll"; did you mean "entries\[1\]\.ttl"/],
    ]) {
      await refuses(service.cache.setMany([entry, bad]), 'E_INVALID_ARGUMENT', message)
    }
  })

  test('in whose a session is names what it may be', async () => {
    for (const userId of [null, undefined, {}, true]) {
      const words = /userId must be a string or a whole number, not/
      await refuses(service.sessions.createSession(userId), 'E_INVALID_ARGUMENT', words)
      await refuses(service.sessions.invalidateUser(userId), 'E_INVALID_ARGUMENT', words)
    }
  })

  test('is not what the documents allow: a clock that moves by nothing', async () => {
    await advanceTime(service, 0)
    await refuses(advanceTime(service, -1), 'E_INVALID_ARGUMENT', /from 0 to/)
  })
})
