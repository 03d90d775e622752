// TLS where servers are several: every connection is encrypted, to nodes and sentinels that the URL does not name too. What
// certificates can have wrong is row 13 of the faults.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, describe, test } from 'node:test'

import { JobQueue, RealtimeDataManager, RedisService, SessionManager } from 'cinnabar'

import { refuses, until } from '../helpers.mjs'
import { authority } from '../support/certificates.mjs'
import { startCluster } from '../support/cluster.mjs'
import { startSentinels } from '../support/sentinel.mjs'

const ours = await authority('Ours')
// Nodes of a cluster require a certificate of each other, with each new connection.
const pair = await ours.sign('server', { uses: ['serverAuth', 'clientAuth'] })
const tls = { ca: ours.ca, caFile: ours.caFile, ...pair }
const password = randomUUID()

async function withService(options, run) {
  const service = new RedisService({ tls: { ca: ours.ca }, timeoutMs: 3000, ...options })
  try {
    return await run(service)
  } finally {
    await service.disconnect()
  }
}

const quick = { timeoutMs: 5000 }
const another = async () => ({ ca: (await authority('Another')).ca })

describe('a cluster that speaks TLS alone', async () => {
  const cluster = await startCluster({ password, tls, replicas: 1 })
  after(() => cluster.close())
  const [slotA, slotB, slotC] = cluster.firstSlots
  const keys = [slotA, slotB, slotC].map((slot) => cluster.keyIn(slot))

  test('is found from one node, and all of it is used', async () => {
    await withService({ url: cluster.urlOf([cluster.nodes[1]]) }, async (service) => {
      await Promise.all(keys.map((key) => service.set(key, key)))
      assert.deepEqual(await Promise.all(keys.map((key) => service.get(key))), keys)
      for (const node of await cluster.primaries()) assert.ok((await node.command('DBSIZE')) > 0)
    })
  })

  test('a slot that moves is followed', async () => {
    await withService({ url: cluster.url }, async (service) => {
      const [from, to] = [await cluster.nodeOf(slotA), await cluster.nodeOf(slotB)]
      await service.set(keys[0], 'moves')
      await cluster.migrate(slotA, from, to)
      assert.equal(await service.get(keys[0]), 'moves')
      await cluster.migrate(slotA, to, from)
      assert.equal(await service.get(keys[0]), 'moves')
    })
  })

  test('messages are heard, sharded and not, and a job is done', async () => {
    await withService({ url: cluster.url }, async (service) => {
      const heard = []
      const reported = (value) => heard.push(value)
      await service.subscribe('everybody', reported)
      await service.subscribe('one node', reported, { sharded: true })
      await service.publish('everybody', 1)
      await service.publish('one node', 2, { sharded: true })
      await until('both were heard', () => heard.length === 2)
      assert.deepEqual(heard.sort(), [1, 2])

      const rooms = new RealtimeDataManager(service)
      const membership = await rooms.join('lobby', 'anna')
      assert.deepEqual(Object.keys(await rooms.getRoomUsers('lobby')), ['anna'])
      await membership.leave()

      const queue = new JobQueue('mail', { service })
      const worker = queue.process(async (job) => job.data + 1)
      const job = await queue.add('add', 1)
      assert.equal(await job.finished(), 2)
      await worker.close()
      await queue.close()
    })
  })

  test('a node that dies is replaced', async () => {
    await withService({ url: cluster.url }, async (service) => {
      await service.set(keys[2], 'before')
      const primary = await cluster.nodeOf(slotC)
      const [replica] = await cluster.replicasOf(primary)
      await cluster.failover(replica)
      assert.equal(await service.get(keys[2]), 'before')
      await cluster.kill(primary)
      await service.set(keys[2], 'after')
      assert.equal(await replica.command('GET', keys[2]), 'after')
    })
  })

  test('a client without the CA, and one without TLS, get the reason', async () => {
    await withService({ url: cluster.url, ...quick, tls: await another() }, (service) =>
      refuses(service.get('k'), 'E_UNAVAILABLE', /trust|issuer|signature/i),
    )
    const plain = cluster.url.replace('rediss-', 'redis-')
    await withService({ url: plain, ...quick, tls: undefined }, (service) =>
      refuses(service.get('k'), 'E_UNAVAILABLE', /closed the connection.*TLS.*rediss-cluster/),
    )
  })
})

describe('sentinels and servers that speak TLS alone', async () => {
  const group = await startSentinels({ password, tls })
  after(() => group.close())

  test('the primary is found, and the next one after a fail-over', async () => {
    await withService({ url: group.url }, async (service) => {
      const sessions = new SessionManager(service)
      const id = await sessions.createSession('u1', { n: 1 })
      assert.equal((await sessions.getSession(id)).n, 1)
      await group.replicated()
      const next = await group.failover()
      const value = randomUUID()
      await until('it can be written again', async () => (await service.set('where', value).catch(() => null)) === 'OK')
      assert.equal(await next.command('GET', 'where'), value)
      assert.equal((await sessions.getSession(id)).n, 1)
    })
  })

  test('a client that is refused gets the reason', async () => {
    await withService({ url: group.url, ...quick, tls: await another() }, (service) =>
      refuses(service.get('k'), 'E_UNAVAILABLE', /trust|issuer|signature/i),
    )
  })
})
