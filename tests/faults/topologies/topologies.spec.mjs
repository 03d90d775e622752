// The topologies themselves, without the client under test: what a scenario needs does happen.
//
//   node --test tests/faults/topologies/topologies.spec.mjs

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { startCluster } from '../../../__test__/support/cluster.mjs'
import { startSentinels } from '../../../__test__/support/sentinel.mjs'
import { keySlot } from '../../../__test__/support/slots.mjs'
import { openWire } from '../../../__test__/support/wire.mjs'
import { call, expect } from './callers.mjs'
import { countSteadily } from './counting.mjs'
import { elected, promoted } from './election.mjs'
import { follow } from './follower.mjs'
import { wander } from './moving.mjs'

const portsOf = (nodes) => nodes.map(({ port }) => port)

test('slots are those that the server computes', async () => {
  const cluster = await startCluster()
  for (const key of ['foo', '{user}:a', '{user}:b', 'a{}b', 'a{b', '{{x}}', 'ü']) {
    assert.equal(keySlot(key), await cluster.nodes[0].command('CLUSTER', 'KEYSLOT', key), key)
  }
  assert.equal(keySlot(cluster.keyIn(12345)), 12345)
  await cluster.close()
})

test('slots wander under callers that follow, who always get their own value', async () => {
  const password = randomUUID()
  const cluster = await startCluster({ password })
  const client = follow({ ports: portsOf(cluster.nodes), password })
  const slots = [...cluster.firstSlots, 100]
  const set = async ({ keys, values, unique }) => {
    const key = keys[Math.floor(Math.random() * keys.length)]
    const value = unique()
    await client.set(key, value)
    values.set(key, value)
    return 1
  }
  const get = async ({ keys, values }) => {
    const key = keys[Math.floor(Math.random() * keys.length)]
    expect(`GET ${key}`, await client.get(key), values.get(key) ?? null)
    return 1
  }
  const keysOf = (caller) => slots.flatMap((slot) => [1, 2].map((n) => cluster.keyIn(slot, `${caller}:${n}`)))
  const signal = AbortSignal.timeout(2000)
  const [moves, total] = await Promise.all([
    wander(cluster, slots, { signal, pause: 1 }),
    call([set, get], { callers: 16, keysOf, signal }),
  ])
  await client.close()
  await cluster.close()
  assert.deepEqual(total.wrong, [])
  assert.deepEqual(total.failed, {})
  assert.equal(total.unsettled, 0)
  assert.ok(
    moves.slots > 4 && client.seen.ASK > 10 && client.seen.MOVED > 10,
    JSON.stringify({ moves, ...client.seen }),
  )
})

test('a cluster elects a replica when a primary dies, and its counters stay exact', async () => {
  const cluster = await startCluster({ replicas: 1 })
  const client = follow({ ports: portsOf(cluster.nodes) })
  const slots = cluster.firstSlots
  const keys = slots.flatMap((slot) => [1, 2].map((n) => cluster.keyIn(slot, `count:${n}`)))
  const load = countSteadily(client, { keys })
  await delay(300)
  const dead = await cluster.nodeOf(slots[0])
  const replicas = await cluster.replicasOf(dead)
  const killed = performance.now()
  await cluster.kill(dead)
  const election = await elected(replicas, { key: cluster.keyIn(slots[0], 'probe'), since: killed })
  await delay(1000)
  const end = await load.stop()
  const misses = await end.misses(client.get)
  await client.close()
  await cluster.close()
  assert.ok(election.ms > 500, `elected after ${election.ms} ms`)
  assert.deepEqual(end.wrong, [])
  assert.deepEqual(misses, [])
  assert.equal(end.unsettled, 0)
})

test('sentinels promote a replica when the primary dies', async () => {
  const group = await startSentinels({ password: randomUUID(), sentinelPassword: randomUUID() })
  const before = await group.primary()
  const { port } = before
  assert.equal(await before.command('SET', 'key', 'value'), 'OK')
  const killed = performance.now()
  await before.kill()
  const { ms, server } = await promoted(group, before, { key: 'probe', since: killed })
  assert.ok(ms > 500, `promoted after ${ms} ms`)
  assert.equal(await server.command('GET', 'key'), 'value')
  await assert.rejects(openWire({ port }), /ECONNREFUSED/)
  await before.start()
  await group.ready()
  assert.equal((await before.command('ROLE'))[0], 'slave')
  await group.close()
})

test('a stale sentinel names the former primary', async () => {
  const group = await startSentinels()
  const before = await group.primary()
  const after = await group.failover()
  await group.ready()
  const stale = await group.startStaleSentinel(before)
  await group.restartSentinel(group.sentinels[0])
  await group.ready()
  assert.equal(await stale.primaryPort(), before.port)
  assert.equal((await before.command('ROLE'))[0], 'slave')
  assert.equal((await group.primary()).port, after.port)
  await group.close()
})
