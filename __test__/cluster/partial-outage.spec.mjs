// A cluster of which a shard is away can still do most of its work, and says so.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'

const cluster = await startCluster({ primaries: 3, fullCoverage: false })
after(() => cluster.close())

test('a process that begins while a shard is away is connected to the others', async () => {
  const [slotA, slotB] = cluster.firstSlots
  await cluster.kill(cluster.nodes[0])
  const service = new RedisService({ url: cluster.urlOf(cluster.nodes.slice(1)), timeoutMs: 3000, log: false })
  const client = service.getClient()
  assert.equal(client.isReady, false)
  assert.equal(await client.set(cluster.keyIn(slotB), 'v'), 'OK')
  assert.deepEqual([service.isConnected, client.isReady], [true, true])
  await refuses(client.set(cluster.keyIn(slotA), 'v'))
  assert.deepEqual([service.isConnected, client.isReady], [true, true])
  assert.equal(await client.get(cluster.keyIn(slotB)), 'v')
  await service.disconnect()
  assert.equal(service.isConnected, false)
})
