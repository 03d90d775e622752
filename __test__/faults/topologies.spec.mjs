// The topologies themselves, without the client under test: what a scenario needs does happen.
//
//   node --test tests/faults/topologies/topologies.spec.mjs

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { startSentinels } from '../support/sentinel.mjs'
import { keySlot } from '../support/slots.mjs'
import { openWire } from '../support/wire.mjs'
import { Calls } from '../../tests/faults/calls.mjs'
import { Load } from '../../tests/faults/load.mjs'
import { callers } from '../../tests/faults/topologies/callers.mjs'
import { elected, promoted } from '../../tests/faults/topologies/election.mjs'
import { openClusterClient } from '../../tests/faults/topologies/cluster-client.mjs'
import { countErrors, moveSlots } from '../../tests/faults/topologies/slot-moves.mjs'
import { LOAD } from '../../tests/faults/topologies/outage.mjs'
import { fromCluster } from '../../tests/faults/topologies/read.mjs'

const portsOf = (nodes) => nodes.map(({ port }) => port)

test('slots are those that the server computes', async () => {
  const cluster = await startCluster()
  for (const key of ['foo', '{user}:a', '{user}:b', 'a{}b', 'a{b', '{{x}}', 'ü']) {
    assert.equal(keySlot(key), await cluster.nodes[0].command('CLUSTER', 'KEYSLOT', key), key)
  }
  assert.equal(keySlot(cluster.keyIn(12345)), 12345)
  await cluster.close()
})

test('slots move under callers that follow redirections, and each gets its own value', async () => {
  const password = randomUUID()
  const cluster = await startCluster({ password })
  const client = openClusterClient({ ports: portsOf(cluster.nodes), password })
  const calls = new Calls(() => 0)
  const slots = [...cluster.firstSlots, 100]
  const values = new Map()
  const turn = async ({ caller, unique, pick }, n) => {
    const key = cluster.keyIn(pick(slots), `of${caller}`)
    const [make, right, value] =
      n % 2
        ? [() => client.set(key, value), (result) => result === 'OK', unique()]
        : [() => client.get(key), (result) => result === (values.get(key) ?? null)]
    await calls.make(key, make, { timeoutMs: 5000, right })
    if (value) values.set(key, value)
  }
  const ended = new AbortController()
  const { signal } = ended
  const [moves] = await Promise.all([
    moveSlots(cluster, slots, { signal, pause: 1 }),
    callers({ count: 16, signal, timeoutMs: 5000 }, turn),
    // Each slot has moved more than once by then.
    until('calls were sent on often', () => client.seen.ASK > 10 && client.seen.MOVED > 10, 60)
      .then(() => delay(2000))
      .finally(() => ended.abort()),
  ])
  const asked = await countErrors(cluster, 'ASK')
  await client.close()
  await cluster.close()
  assert.deepEqual([calls.faults, calls.codes, calls.wrong, calls.pending.size], [[], {}, 0, 0])
  assert.ok(
    moves.slots > 4 && client.seen.ASK > 10 && client.seen.MOVED > 10,
    JSON.stringify({ moves, ...client.seen }),
  )
  assert.equal(asked, client.seen.ASK)
})

test('a cluster elects a replica when a primary dies, and its counters stay exact', async () => {
  const cluster = await startCluster({ replicas: 1 })
  const client = openClusterClient({ ports: portsOf(cluster.nodes) })
  const calls = new Calls(() => 0)
  const service = { ...client, getClient: () => client }
  const load = await new Load(calls, service, { ...LOAD, timeoutMs: 10_000 }).start()
  await delay(300)
  const [slot] = cluster.firstSlots
  const dead = await cluster.nodeOf(slot)
  const replicas = await cluster.replicasOf(dead)
  const since = performance.now()
  await cluster.kill(dead)
  const election = await elected(replicas, { key: cluster.keyIn(slot, 'probe'), since })
  await delay(1000)
  await load.stop()
  const misses = await load.verify(fromCluster(cluster))
  await client.close()
  await cluster.close()
  assert.ok(election.ms > 500, `elected after ${election.ms} ms`)
  assert.deepEqual([misses.count, calls.wrong, calls.pending.size], [0, 0, 0])
  assert.equal(load.between(since + election.ms + 500).failed, 0)
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
