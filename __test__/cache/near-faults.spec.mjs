import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'

import { ApiCache, RedisService } from 'cinnabar'

import { rawClient, until } from '../helpers.mjs'
import { freePorts, startCluster } from '../support/cluster.mjs'
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

describe('values cached near in a cluster', () => {
  let cluster
  before(async () => (cluster = await startCluster({ primaries: 3, replicas: 0 })))
  after(() => cluster.close())

  for (const mode of ['push', 'strict']) {
    test(`change while their slot moves to a node that has none yet (${mode})`, async () => {
      const [port] = await freePorts(1)
      const config = ['--cluster-config-file', 'nodes.conf', '--cluster-announce-ip', '127.0.0.1']
      const fresh = await startRedis({ port, args: ['--cluster-enabled', 'yes', ...config] })
      const id = await fresh.command('CLUSTER', 'MYID')
      for (const node of cluster.nodes) await fresh.command('CLUSTER', 'MEET', '127.0.0.1', node.port)
      const knows = async (node) => (await node.command('CLUSTER', 'NODES')).includes(id)
      await until('all know it', async () => (await Promise.all(cluster.nodes.map(knows))).every(Boolean))
      await until('it serves', async () => (await fresh.command('CLUSTER', 'INFO')).includes('cluster_state:ok'))
      const [service, elsewhere] = [2000, 2001].map(
        (timeoutMs) => new RedisService({ url: cluster.url, log: false, timeoutMs }),
      )
      const cache = new ApiCache(service, { near: { mode } })
      const key = `moving ${mode}`
      const from = await cluster.nodeOf(cluster.keySlot(`api:${key}`))
      await cache.set(key, 'old')
      await nearAgain(cache, key)
      await cluster.begin(cluster.keySlot(`api:${key}`), from, { ...fresh, id, command: fresh.command })
      await cluster.moveKey(`api:${key}`, from, fresh)
      await until('it is read where it is now', async () => (await cache.get(key)) === 'old')
      // Whether or not it becomes near by that.
      for (let read = 0; read < 20; read++) await cache.get(key)
      // Scripts of two keys run nowhere while the slot moves.
      await (await rawClient(elsewhere)).set(`api:${key}`, '"new"', { EX: 60 })
      const at = performance.now()
      while ((await cache.get(key)) !== 'new') {
        assert.ok(mode === 'push' && performance.now() - at < 501, `${performance.now() - at} ms later`)
      }
      await Promise.all([service.disconnect(), elsewhere.disconnect()])
      await cluster.stay(cluster.keySlot(`api:${key}`), from, { command: fresh.command })
      for (const node of cluster.nodes) await node.command('CLUSTER', 'FORGET', id)
      await fresh.stop()
    })
  }

  test('of a user who may not ask about keys are read from the servers, which is reported', async () => {
    const [password, events] = [randomUUID(), []]
    for (const node of cluster.nodes) {
      await node.command('ACL', 'SETUSER', 'blind', 'on', `>${password}`, '~*', '&*', '+@all', '-exists')
    }
    const log = ({ type }) => type.startsWith('near') && events.push(type)
    const service = new RedisService({ url: cluster.url, username: 'blind', password, log })
    const cache = new ApiCache(service, { near: true })
    await cache.set('a', 1)
    await until('it is reported', async () => (await cache.get('a')) === 1 && events.length > 0)
    assert.equal(cache.stats().nearHits, 0)
    await service.disconnect()
  })
})
