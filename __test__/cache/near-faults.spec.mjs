import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'

import { ApiCache, RedisService } from 'cinnabar'

import { until } from '../helpers.mjs'
import { nearAgain } from '../support/near/again.mjs'
import { relay } from '../support/near/proxy.mjs'
import { startRedis } from '../support/redis.mjs'

describe('values cached near', () => {
  let server, proxy
  before(async () => {
    server = await startRedis()
    proxy = await relay(server.port)
  })
  after(async () => {
    proxy.close()
    await server.stop()
  })
  const withNear = async (run, near = {}, options = {}) => {
    const service = new RedisService({ url: `redis://127.0.0.1:${proxy.port}`, log: false, ...options })
    try {
      await run(new ApiCache(service, { near: { maxStalenessMs: 200, ...near } }), service)
    } finally {
      await service.disconnect()
    }
  }
  const callsOf = async (command) => {
    const stats = await server.command('INFO', 'commandstats')
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  }

  test('cost the server nothing', () =>
    withNear(async (cache) => {
      await cache.set('a', 1)
      await nearAgain(cache, 'a')
      const before = await callsOf('get')
      for (let read = 0; read < 1000; read++) assert.equal(await cache.get('a'), 1)
      assert.equal(await callsOf('get'), before)
    }))

  test('are not used once the server has been silent for too long, and again when it speaks', () =>
    withNear(async (cache) => {
      await cache.set('a', 1)
      await nearAgain(cache, 'a')
      const frozenAt = performance.now()
      proxy.freezePushes(1000)
      await until('it is not near', () => cache.peek('a') === undefined)
      const after = performance.now() - frozenAt
      assert.ok(after < 900, `${after} ms after the last push could arrive`)
      assert.equal(await cache.get('a'), 1, 'the server is asked')
      await until('it is near again', () => cache.peek('a') === 1)
    }))

  test('are forgotten with the connection for pushes, and kept anew', () =>
    withNear(async (cache) => {
      await cache.set('a', 1)
      await nearAgain(cache, 'a')
      proxy.cutPushes()
      await until('it is not near', () => cache.peek('a') === undefined)
      await server.command('SET', 'api:a', '2')
      assert.equal(await cache.get('a'), 2)
      await nearAgain(cache, 'a')
      assert.equal(cache.peek('a'), 2)
    }))

  test('expire with their keys even if the server deletes them later', () =>
    withNear(async (cache) => {
      await server.command('SET', 'api:a', '1', 'PX', '400')
      const setAt = performance.now()
      await nearAgain(cache, 'a')
      let lastAt
      await until('it is not near', () => {
        const at = performance.now()
        if (cache.peek('a') === undefined) return true
        lastAt = at
        return false
      })
      assert.ok(lastAt - setAt <= 401, `near ${lastAt - setAt} ms after it was set`)
    }))

  test('of a user who may not be pushed changes are read from the server, which is reported once', async () => {
    const [password, events] = [randomUUID(), []]
    await server.command('ACL', 'SETUSER', 'plain', 'on', `>${password}`, '~api:*', '+@all', '-client', '-hello')
    await withNear(
      async (cache) => {
        await cache.set('a', 1)
        await until('it is reported', async () => {
          assert.equal(await cache.get('a'), 1)
          return events.length > 0
        })
        assert.equal(cache.peek('a'), undefined)
        assert.equal(cache.stats().nearHits, 0)
        assert.deepEqual(events, ['near-unavailable'])
      },
      {},
      { username: 'plain', password, log: ({ type }) => type.startsWith('near') && events.push(type) },
    )
  })
})
