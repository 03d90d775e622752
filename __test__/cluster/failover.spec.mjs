// Nodes that disagree, and nodes that are gone: what time heals is waited for.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setImmediate as nextTick } from 'node:timers/promises'

import { RedisService, healthCheck } from 'cinnabar'

import { until } from '../helpers.mjs'
import { freePorts, startCluster } from '../support/cluster.mjs'
import { startRedis } from '../support/redis.mjs'

describe('a cluster with replicas', () => {
  let cluster
  before(async () => {
    cluster = await startCluster({ replicas: 1 })
  })
  after(() => cluster.close())

  test('is named by one of its nodes in a health check, and each server has one row', async () => {
    const service = new RedisService({ url: cluster.url, log: false })
    await service.connect()
    const { status, host, port } = await service.healthCheck()
    assert.deepEqual([status, host], ['connected', '127.0.0.1'])
    assert.ok(
      cluster.nodes.some((node) => node.port === port),
      `port ${port}`,
    )
    const { servers } = await healthCheck(service)
    assert.deepEqual(servers.map((server) => server.port).sort(), cluster.nodes.map((node) => node.port).sort())
    await service.disconnect()
  })

  test('whose nodes disagree about a slot is asked until they agree', async () => {
    const service = new RedisService({ url: cluster.url, log: false })
    const key = cluster.keyIn(cluster.firstSlots[0] + 7)
    const slot = cluster.keySlot(key)
    await service.set(key, 'before')
    await service.del(key)
    const from = await cluster.nodeOf(slot)
    const to = (await cluster.primaries()).find((node) => node !== from)
    // The one that had it says that the other has it, which says the opposite.
    await from.command('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
    const read = service.get(key)
    const write = service.set(key, 'v')
    let settled = 0
    for (const call of [read, write]) {
      const count = () => settled++
      call.then(count, count)
    }
    const sentOn = async (node) =>
      Number(/errorstat_MOVED:count=(\d+)/.exec(await node.command('INFO', 'errorstats'))?.[1] ?? 0)
    await until('they have been sent on often', async () => (await sentOn(from)) + (await sentOn(to)) >= 20)
    assert.equal(settled, 0, 'no call is given up after a few rounds')
    await to.command('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
    assert.deepEqual(await Promise.all([read, write]), [null, 'OK'])
    await service.disconnect()
    await cluster.ready()
  })

  test('that never agree are asked until the deadline, and nothing was done', async () => {
    const codes = ['E_UNAVAILABLE', 'E_NOT_SENT']
    const service = new RedisService({ url: cluster.url, log: false })
    const key = cluster.keyIn(cluster.firstSlots[1] + 7)
    const slot = cluster.keySlot(key)
    await service.get(key)
    const from = await cluster.nodeOf(slot)
    const to = (await cluster.primaries()).find((node) => node !== from)
    await from.command('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
    const at = performance.now()
    const { code, message } = await service
      .with({ timeoutMs: 600 })
      .set(key, 'v')
      .catch((error) => error)
    assert.ok(codes.includes(code), `${code}: ${message}`)
    assert.ok(performance.now() - at > 400, 'it was not given up at once')
    await to.command('CLUSTER', 'SETSLOT', slot, 'NODE', to.id)
    await cluster.ready()
    assert.equal(await service.get(key), null)
    await service.disconnect()
  })

  test('whose primary is killed makes calls wait for the one that takes over', async () => {
    const service = new RedisService({ url: cluster.url, log: false, timeoutMs: 60_000, connectWaitMs: 60_000 })
    await service.connect()
    const key = cluster.keyIn(cluster.firstSlots[2] + 7)
    await service.set(key, 'kept')
    const client = service.getClient()
    const primary = await cluster.nodeOf(cluster.keySlot(key))
    await cluster.ready()
    await primary.kill()
    // Made while no node has the slot.
    const calls = Array.from({ length: 20 }, (_, n) => (n % 2 ? client.incr(`{${key}}:n`) : service.get(key)))
    const values = await Promise.all(calls.map((call) => call.catch((error) => error.code)))
    assert.deepEqual(
      values.filter((_, n) => n % 2 === 0),
      Array(10).fill('kept'),
    )
    for (const value of values.filter((_, n) => n % 2)) {
      assert.ok(typeof value === 'number' || value === 'E_MAYBE_APPLIED', String(value))
    }
    assert.notEqual(await cluster.nodeOf(cluster.keySlot(key)), primary)
    await service.disconnect()
  })
})

describe('a cluster without replicas', () => {
  test('whose node is killed refuses calls on its slots soon: no node will take over', async () => {
    const cluster = await startCluster({ fullCoverage: false })
    const service = new RedisService({ url: cluster.url, log: false, timeoutMs: 30_000, connectWaitMs: 30_000 })
    await service.connect()
    const key = cluster.keyIn(cluster.firstSlots[1] + 1)
    await service.set(key, 1)
    await (await cluster.nodeOf(cluster.keySlot(key))).kill()
    const at = performance.now()
    await assert.rejects(service.get(key), { code: 'E_UNAVAILABLE' })
    assert.ok(performance.now() - at < 15_000)
    await service.disconnect()
    await cluster.close()
  })
})

describe('a server in cluster mode by redis://', () => {
  let server
  before(async () => {
    const [port] = await freePorts(1)
    server = await startRedis({ port, args: ['--cluster-enabled', 'yes'] })
    for (let slot = 0; slot < 16_384; slot += 4096) {
      await server.command('CLUSTER', 'ADDSLOTS', ...Array.from({ length: 4096 }, (_, n) => slot + n))
    }
    const isUp = async () => (await server.command('CLUSTER', 'INFO')).includes('cluster_state:ok')
    await until('the cluster is up', isUp)
  })
  after(() => server.kill())

  test('works where it has all slots, many calls in a tick too', async () => {
    const service = new RedisService({ url: server.url, log: false })
    const { cache, limiter, sessions } = service
    const names = Array.from({ length: 20 }, (_, n) => `n${n}`)
    await Promise.all(names.map((name) => cache.set(name, name)))
    assert.deepEqual(await Promise.all(names.map((name) => cache.get(name))), names)
    const checks = await Promise.all(names.map((name) => limiter.checkRateLimit(name, 5, 60)))
    assert.deepEqual(
      checks.map(({ remaining }) => remaining),
      names.map(() => 4),
    )
    const ids = await Promise.all(names.map((name) => sessions.createSession(name, {})))
    assert.equal((await Promise.all(ids.map((id) => sessions.getSession(id)))).filter(Boolean).length, 20)
    assert.equal(await cache.invalidateByPattern('n*'), 20)
    assert.deepEqual(
      await cache.getMany(names),
      names.map(() => null),
    )
    await service.disconnect()
  })

  for (const connected of [true, false]) {
    test(`keeps the order of calls on a key from the first tick on, ${connected ? '' : 'not '}connected before`, async () => {
      const first = async () => {
        const service = new RedisService({ url: server.url, log: false })
        if (connected) await service.connect()
        return service
      }
      for (const key of ['a', 'b', 'c']) await server.command('SET', key, 'before')
      const service = await first()
      const calls = [service.del('a', 'b', 'c'), service.set('b', 'same tick')]
      await nextTick()
      calls.push(service.set('a', 'next tick'), service.get('c'))
      assert.deepEqual(await Promise.all(calls), [3, 'OK', 'OK', null])
      assert.deepEqual(await Promise.all(['a', 'b', 'c'].map((key) => service.get(key))), [
        'next tick',
        'same tick',
        null,
      ])
      await service.disconnect()

      await server.command('FLUSHALL')
      const other = await first()
      const { cache } = other
      const reads = [cache.get('x'), cache.get('y')]
      await nextTick()
      const writes = [cache.set('x', 1), cache.set('y', 2)]
      assert.deepEqual(await Promise.all(reads), [null, null], 'read before they were written')
      await Promise.all(writes)
      assert.deepEqual(await cache.getMany(['x', 'y']), [1, 2])
      await other.disconnect()
    })
  }

  test('keeps that order where it first refused the password', async () => {
    await server.command('ACL', 'SETUSER', 'late', 'on', '>other', '~*', '&*', '+@all')
    const service = new RedisService({ url: server.url, username: 'late', password: 'secret', log: false })
    await assert.rejects(service.del('a', 'b', 'c'), { code: 'E_AUTH' })
    await server.command('ACL', 'SETUSER', 'late', '>secret')
    const isConnected = () =>
      service.connect().then(
        () => true,
        () => false,
      )
    await until('the password is accepted', isConnected)
    for (const key of ['a', 'b', 'c']) await server.command('SET', key, 'before')
    const calls = [service.del('a', 'b', 'c'), service.set('b', 'same tick')]
    assert.deepEqual(await Promise.all(calls), [3, 'OK'])
    assert.equal(await service.get('b'), 'same tick')
    await service.disconnect()
  })

  test('of several says how to connect where a key is on another', async () => {
    const cluster = await startCluster()
    const service = new RedisService({ url: cluster.nodes[0].url, log: false })
    const calls = cluster.firstSlots.map((slot) =>
      service.get(cluster.keyIn(slot)).then(
        () => 'ok',
        ({ code, message }) => [code, /redis-cluster:/.test(message)],
      ),
    )
    assert.deepEqual(await Promise.all(calls), ['ok', ['E_UNSUPPORTED', true], ['E_UNSUPPORTED', true]])
    await service.disconnect()
    await cluster.close()
  })
})
