// What `cinnabar doctor` says of replicas, clusters and sentinels.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { clusterUrl, freePorts, startCluster } from '../support/cluster.mjs'
import { freePort } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'
import { replicated } from '../support/replication.mjs'
import { sentinelUrl, startSentinels } from '../support/sentinel.mjs'
import { examine, finding } from './support.mjs'

describe('the wrong kind of server', () => {
  test('is a read-only replica', async () => {
    const primary = await startRedis({ args: ['--repl-diskless-sync-delay', 0] })
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', primary.port] })
    await replicated(primary, [replica])
    const { code, report } = await examine([replica.url])
    assert.equal(code, 1)
    const { found, remedy } = finding(report, 'replica', 'error')
    assert.match(found, /read-only replica/)
    assert.match(remedy, new RegExp(`127\\.0\\.0\\.1:${primary.port}`))
    await Promise.all([primary.stop(), replica.stop()])
  })

  test('is in cluster mode without slots, and is no cluster where one is expected', async () => {
    const [port] = await freePorts(1)
    const node = await startRedis({ port, args: ['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf'] })
    for (const url of [node.url, clusterUrl([port])]) {
      const { code, report } = await examine([url])
      assert.equal(code, 1)
      assert.match(finding(report, 'cluster-slots', 'error').remedy, /ADDSLOTSRANGE/)
    }
    await node.stop()
    const single = await startRedis()
    const { code, report } = await examine([clusterUrl([single.port])])
    assert.equal(code, 1)
    assert.match(finding(report, 'not-a-cluster', 'error').remedy, /redis:\/\/ in place of redis-cluster:\/\//)
    const sentinel = await examine([sentinelUrl([single.port])])
    assert.equal(sentinel.code, 1)
    assert.ok(finding(sentinel.report, 'not-a-sentinel', 'error').remedy)
    await single.stop()
  })

  test('is one node of a cluster, or a cluster without one of its nodes', async () => {
    const cluster = await startCluster({ fullCoverage: false })
    assert.equal((await examine([cluster.url])).code, 0)
    const { code, report } = await examine([cluster.nodes[0].url])
    assert.equal(code, 1)
    assert.match(finding(report, 'is-a-cluster', 'error').remedy, /redis-cluster:\/\//)
    await cluster.nodes[0].command('CLUSTER', 'DELSLOTS', 0)
    const open = await examine([cluster.urlOf([cluster.nodes[0]])])
    assert.equal(open.code, 1)
    assert.match(finding(open.report, 'cluster-slots', 'error').found, /^1 of 16384 slots/)
    const dead = `${cluster.urlOf([cluster.nodes[0]])},127.0.0.1:${await freePort()}`
    assert.ok(finding((await examine([dead])).report, 'nothing-listens', 'warning').remedy)
    await cluster.close()
  })

  test('is a sentinel, or one that does not know the name', async () => {
    const group = await startSentinels({ replicas: 1, sentinels: 1 })
    const good = await examine([group.url])
    assert.equal(good.code, 0, good.out)
    const { code, report } = await examine([group.url.replace(/mymaster$/, 'other')])
    assert.equal(code, 1)
    assert.match(finding(report, 'primary-unknown', 'error').found, /other/)
    const direct = await examine([`redis://127.0.0.1:${group.sentinels[0].port}`])
    assert.equal(direct.code, 1)
    assert.match(finding(direct.report, 'is-a-sentinel', 'error').remedy, /redis-sentinel:\/\//)
    await group.close()
  })
})
