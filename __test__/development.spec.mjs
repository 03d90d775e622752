import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses } from './helpers.mjs'
import { startRedis } from './support/engines.mjs'

describe('where a server that is away is answered by empty values', () => {
  const warnings = []
  const warn = console.warn
  let service, server

  before(async () => {
    server = await startRedis()
    service = new RedisService({ url: server.url, onUnavailable: 'empty', connectWaitMs: 50, log: false })
    await service.connect()
    console.warn = (text) => warnings.push(text)
    await server.kill()
  })

  after(async () => {
    console.warn = warn
    await service.disconnect()
  })

  test('no answer has a value that its type does not have', async () => {
    const { cache, limiter, locks, rooms, sessions } = service
    for (const [call, type] of [
      [service.exists('k'), 'number'],
      [service.expire('k', 1), 'boolean'],
      [service.hSet('k', 'f', 'v'), 'number'],
      [service.publish('c', 1), 'number'],
      [sessions.createSession('u'), 'string'],
      [sessions.updateSession('s', { a: 1 }), 'boolean'],
      [sessions.destroySession('s'), 'number'],
      [sessions.extendSession('s'), 'boolean'],
      [sessions.touch('s'), 'boolean'],
      [cache.invalidate('k'), 'number'],
      [limiter.resetRateLimit('k'), 'number'],
      [locks.releaseLock('r', 't'), 'boolean'],
      [rooms.removeUserFromRoom('r', 'u'), 'number'],
    ]) {
      assert.equal(typeof (await call), type)
    }
    assert.deepEqual(await Promise.all([service.get('k'), service.set('k', 'v'), sessions.getSession('s')]), [
      null,
      null,
      null,
    ])
    assert.deepEqual(Object.keys(await rooms.getRoomUsers('r')), [])
    assert.ok(warnings.includes('Redis not connected - skipping CREATE SESSION operation'), String(warnings))
  })

  test('two sessions that were not made have two ids', async () => {
    const [one, other] = await Promise.all([service.sessions.createSession('u'), service.sessions.createSession('u')])
    assert.match(one, /^[0-9a-f]{48}$/)
    assert.notEqual(one, other)
  })

  test('nothing that was not done looks done', async () => {
    const { cache, locks, sessions } = service
    await refuses(cache.invalidateByTag('t'), 'E_UNAVAILABLE')
    await refuses(sessions.storeSession('mine', {}), 'E_UNAVAILABLE')
    await refuses(sessions.createSession('u', {}, { id: 'mine' }), 'E_UNAVAILABLE')
    let ran = false
    const error = await refuses(
      locks.withLock('r', () => (ran = true)),
      'E_UNAVAILABLE',
    )
    assert.equal(error.message, 'Could not acquire lock for resource: r')
    assert.equal(error.retryable, true)
    assert.equal(error.cause.code, 'E_UNAVAILABLE')
    assert.equal(ran, false)
  })
})
