// What a service reports of its cluster or its sentinels, and what is left behind when servers or the service itself are gone.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { RedisService, healthCheck } from 'cinnabar'

import { rawClient, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { startSentinels } from '../support/sentinel.mjs'

/** How many connections a server has that are no other server's. */
async function connections(server, type = 'normal') {
  return (await server.command('CLIENT', 'LIST', 'TYPE', type)).split('\n').filter(Boolean).length
}

/** A service whose events are kept. */
function listening(url, options) {
  const events = []
  const service = new RedisService({ url, log: (event) => events.push(event), ...options })
  return { service, events }
}

/** The primaries of its report that it is connected to; of others it only hears. */
async function primaries(service, topology) {
  const { redis, servers } = await healthCheck(service)
  assert.equal(redis.topology, topology)
  return servers.filter(({ role, pool }) => role === 'primary' && pool).map(({ port, connected }) => [port, connected])
}

describe('on a cluster', async () => {
  const cluster = await startCluster({ primaries: 2, replicas: 1 })
  after(() => cluster.close())
  const [first, second] = cluster.nodes
  const keys = cluster.firstSlots.map((slot) => cluster.keyIn(slot))

  test('each primary is shown, a fail-over followed, and nothing left behind', async () => {
    const idle = await Promise.all(cluster.nodes.map((node) => connections(node)))
    const { service, events } = listening(cluster.url)
    assert.equal(service.isConnected, false)
    await Promise.all(keys.map((key) => service.set(key, 'x')))
    assert.equal(service.isConnected, true)
    assert.deepEqual(await primaries(service, 'cluster'), [
      [first.port, true],
      [second.port, true],
    ])

    const [replica] = await cluster.replicasOf(first)
    await cluster.failover(replica)
    await until('the former primary is let go', async () => {
      assert.equal(await service.get(keys[0]), 'x')
      return (await connections(first)) === idle[0]
    })
    await until('it was reported', () => events.some(({ type }) => type === 'topology-changed'))
    assert.deepEqual(await primaries(service, 'cluster'), [
      [replica.port, true],
      [second.port, true],
    ])

    await service.disconnect()
    for (const [index, node] of cluster.nodes.entries()) {
      await until(`${node.port} is let go`, async () => (await connections(node)) === idle[index])
    }
  })

  test('calls of one tick keep their order on each key, those on keys of many nodes too', async () => {
    const service = new RedisService({ url: cluster.url })
    const client = await rawClient(service)
    const names = Array.from({ length: 40 }, (_, n) => `n${n}`)
    const results = await Promise.all([
      ...names.map((key) => client.set(key, '1')),
      client.mGet(names),
      ...names.map((key) => client.incr(key)),
      client.exists(names),
      client.del(names),
      ...names.map((key) => client.incr(key)),
    ])
    assert.deepEqual(results, [
      ...names.map(() => 'OK'),
      names.map(() => '1'),
      ...names.map(() => 2),
      40,
      40,
      ...names.map(() => 1),
    ])
    await service.disconnect()
  })

  test('a subscription goes on when the node that has it dies', async () => {
    const seen = new Set()
    const { service } = listening(cluster.url)
    await service.subscribe('news', (value) => seen.add(value))
    const counts = await Promise.all(cluster.nodes.map((node) => connections(node, 'pubsub')))
    const dead = cluster.nodes[counts.indexOf(1)]
    const [other] = cluster.nodes.filter((node) => node !== dead)
    await cluster.kill(dead)
    await until('messages come again', async () => {
      await other.command('PUBLISH', 'news', '"still"')
      return seen.has('still')
    })
    await service.disconnect()
  })
})

test('through sentinels, the primary is shown, its fail-over reported once, and nothing left behind', async (t) => {
  const group = await startSentinels({ replicas: 1 })
  t.after(() => group.close())
  const listeners = async () => {
    const counts = await Promise.all(group.sentinels.map((sentinel) => connections(sentinel, 'pubsub')))
    return counts.reduce((sum, count) => sum + count)
  }
  const before = await group.primary()
  const { service, events } = listening(group.url)
  await service.set('k', 'x')
  assert.deepEqual(await primaries(service, 'sentinel'), [[before.port, true]])
  await until('a sentinel is listened to', async () => (await listeners()) === 1)

  const next = await group.failover()
  await until('the new primary is asked', async () => {
    await service.set('k', 'y').catch(() => {})
    return (await next.command('GET', 'k')) === 'y'
  })
  const reported = events.filter(({ type }) => type === 'failover').map(({ target }) => target)
  assert.deepEqual(reported, [`127.0.0.1:${next.port}`])
  assert.deepEqual(await primaries(service, 'sentinel'), [[next.port, true]])

  await service.disconnect()
  await until('no sentinel is listened to', async () => (await listeners()) === 0)
})
