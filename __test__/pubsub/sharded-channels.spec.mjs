// Sharded channels on a real cluster: where they are heard, and what becomes of them when slots move and nodes die.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { RedisService } from 'cinnabar'

import { assertTyped, refuses, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'

const sharded = { sharded: true }
const cluster = await startCluster({ primaries: 3, replicas: 1, args: ['--enable-debug-command', 'yes'] })
after(() => cluster.close())
const [slotA, slotB, slotC] = cluster.firstSlots

/** How many connections a node has that listen. */
const listeners = async (node) =>
  (await node.command('CLIENT', 'LIST', 'TYPE', 'pubsub')).split('\n').filter(Boolean).length
/** The sharded channels that a node is listened to for. */
const channels = async (node) => (await node.command('PUBSUB', 'SHARDCHANNELS')).sort()

/** A subscription with everything it heard, gaps as `{ missed }`. */
async function hearing(service, channel) {
  const seen = []
  const options = { ...sharded, onGap: ({ missed }) => seen.push({ missed }) }
  const subscription = await service.subscribe(channel, (value) => seen.push(value), options)
  return { channel, seen, subscription }
}

/** Publishes 1, 2, 3… to each channel at a steady rate until `stop`, which returns what was sent to each. */
function publishing(service, names) {
  const sent = new Map(names.map((name) => [name, []]))
  let [going, number] = [true, 0]
  const loop = (async () => {
    while (going) {
      number++
      for (const name of names) {
        // Whether it was delivered is unknown.
        await service.publish(name, number, sharded).catch((error) => assertTyped(error))
        sent.get(name).push(number)
      }
      await sleep(1)
    }
  })()
  return {
    now: () => number,
    stop: async () => {
      going = false
      await loop
      return sent
    },
  }
}

/**
 * Fails unless all that was heard is in order, each once, and whatever is missing is missing at a gap. At a gap, some may come once more: a
 * replica takes SPUBLISH too, and passes it on to its primary, which may receive it only after it was subscribed to.
 */
function assertNothingSilentlyMissed(seen, sent, name) {
  let [last, gap] = [0, false]
  for (const [at, value] of seen.entries()) {
    if (typeof value !== 'number') {
      gap = true
      continue
    }
    const heard = () => `${name}: ${JSON.stringify(seen.slice(Math.max(0, at - 20), at + 20))}`
    assert.ok(value > last || (gap && sent.includes(value)), `${value} came after ${last}: ${heard()}`)
    assert.ok(value === last + 1 || gap, `${last + 1} to ${value - 1} are missing and no gap was reported: ${heard()}`)
    ;[last, gap] = [value, false]
  }
  assert.ok(last >= sent.at(-1) || gap, `${name}: those after ${last} are missing`)
}

describe('sharded channels of a cluster', () => {
  test('are received over one connection to the owner of each slot, for as long as they have listeners', async () => {
    const service = new RedisService({ url: cluster.url })
    const names = [slotA, slotB].flatMap((slot) => ['x', 'y'].map((name) => cluster.keyIn(slot, name)))
    const heard = await Promise.all([...names, ...names].map((name) => hearing(service, name)))
    const [a, b, c] = cluster.nodes
    assert.deepEqual(await Promise.all([a, b, c].map(listeners)), [1, 1, 0])
    assert.deepEqual(await channels(a), names.slice(0, 2))
    assert.deepEqual(await channels(b), names.slice(2))

    const other = new RedisService({ url: cluster.urlOf([c]) })
    for (const name of names) assert.equal(await other.publish(name, name, sharded), 1)
    await until('all have come', () => heard.every(({ seen }) => seen.length === 1))
    for (const { channel, seen } of heard) assert.deepEqual(seen, [channel])

    // Classic channels with these names are others.
    const plain = []
    await service.subscribe(names[0], (value) => plain.push(value))
    await other.publish(names[0], 'plain')
    await until('it has come', () => plain.length === 1)
    assert.deepEqual(heard[0].seen, [names[0]])

    for (const { subscription } of heard.slice(0, 4)) await subscription.close()
    await other.publish(names[0], 2, sharded)
    await until('the second of two still hears', () => heard[4].seen.includes(2))
    assert.ok(!heard[0].seen.includes(2))
    await heard[4].subscription.close()
    await until('the channel is given up', async () => (await channels(a)).join() === names[1])
    await heard[5].subscription.close()
    await until('the connection is given up', async () => !(await channels(a)).length)
    assert.deepEqual(await channels(b), names.slice(2))
    await service.disconnect()
    await until('nothing is left', async () => (await Promise.all(cluster.nodes.map(listeners))).every((n) => n === 0))
    await other.disconnect()
  })

  test('are followed when their slots move, and whatever was missed is reported', async () => {
    const [from, to] = cluster.nodes
    const service = new RedisService({ url: cluster.url })
    const publisher = new RedisService({ url: cluster.url })
    const slot = slotA + 1
    const moving = ['x', 'y', 'z'].map((name) => cluster.keyIn(slot, name))
    const staying = [cluster.keyIn(slotA, 'stays'), cluster.keyIn(slotB, 'stays')]
    const heard = await Promise.all([...moving, ...staying].map((name) => hearing(service, name)))
    const flow = publishing(publisher, [...moving, ...staying])
    for (const [source, target] of [
      [from, to],
      [to, from],
      [from, to],
    ]) {
      const before = flow.now()
      await until('it flows', () => flow.now() > before + 50)
      await until('all have caught up', () => heard.every(({ seen }) => seen.at(-1) > before))
      await cluster.migrate(slot, source, target)
      await until('it is heard from the new owner', async () => (await channels(target)).includes(moving[0]))
      const now = flow.now()
      await until('all are heard', () => heard.every(({ seen }) => seen.some((value) => value > now)))
    }
    const sent = await flow.stop()
    // After it has healed every message is heard.
    const last = flow.now()
    await until('the last has come', () => heard.every(({ seen }) => seen.includes(last)))
    for (const { channel, seen } of heard) {
      assertNothingSilentlyMissed(seen, sent.get(channel), channel)
      const gaps = seen.filter(({ missed }) => missed)
      assert.deepEqual(gaps, Array(staying.includes(channel) ? 0 : 3).fill({ missed: 'unknown' }), channel)
    }
    assert.equal((await channels(from)).filter((name) => moving.includes(name)).length, 0)
    await Promise.all([service.disconnect(), publisher.disconnect()])
    await cluster.migrate(slot, to, from)
  })

  test('are subscribed at the right node though the map that is known is old', async () => {
    const [a, b] = cluster.nodes
    const slot = slotA + 2
    const service = new RedisService({ url: cluster.url })
    await service.set(cluster.keyIn(slot), 'x')
    await cluster.migrate(slot, a, b)
    const { seen } = await hearing(service, cluster.keyIn(slot))
    assert.deepEqual(await channels(b), [cluster.keyIn(slot)])
    await service.publish(cluster.keyIn(slot), 1, sharded)
    await until('it has come', () => seen.length === 1)
    assert.deepEqual(seen, [1], 'no gap: it had heard nothing before')
    await service.disconnect()
    await cluster.migrate(slot, b, a)
  })

  test('refuse what the server refuses', async () => {
    const password = 'secret'
    await cluster.everywhere('ACL', 'SETUSER', 'deaf', 'on', `>${password}`, '~*', 'resetchannels', '+@all')
    const service = new RedisService({ url: cluster.urlOf(cluster.nodes, { username: 'deaf', password }) })
    await refuses(
      service.subscribe('c', () => {}, sharded),
      'E_AUTH',
      /NOPERM/,
    )
    const dials = async () => {
      const accepted = await Promise.all(cluster.nodes.map((node) => node.accepted()))
      return accepted.reduce((sum, count) => sum + count, 0)
    }
    // One for each node, at most, besides those that count.
    const earlier = await dials()
    for (let n = 0; n < 60; n++) {
      await refuses(
        service.subscribe(`c${n}`, () => {}, sharded),
        'E_AUTH',
      )
    }
    const dialled = (await dials()) - earlier - cluster.nodes.length
    assert.ok(dialled <= cluster.nodes.length, `${dialled} connections for 60 calls`)
    await service.disconnect()
    const unknown = new RedisService({ url: cluster.urlOf(cluster.nodes, { username: 'unknown', password }) })
    await refuses(
      unknown.subscribe('c', () => {}, sharded),
      'E_AUTH',
    )
    await unknown.disconnect()
  })

  test('go on when the node that has them dies and its replica takes over', async () => {
    const [dead] = cluster.nodes
    const [replica] = await cluster.replicasOf(dead)
    const service = new RedisService({ url: cluster.url, log: false })
    const publisher = new RedisService({ url: cluster.url, log: false })
    const names = [cluster.keyIn(slotA, 'dies'), cluster.keyIn(slotB, 'lives')]
    const heard = await Promise.all(names.map((name) => hearing(service, name)))
    const stream = await service.subscribe(names[0], sharded)
    const flow = publishing(publisher, names)
    await until('it flows', () => heard.every(({ seen }) => seen.length > 50))
    await cluster.kill(dead)
    await until('it is heard again', async () => (await channels(replica)).includes(names[0]), 30)
    const now = flow.now()
    await until('all are heard', () => heard.every(({ seen }) => seen.some((value) => value > now + 20)))
    // A listener that starts meanwhile is at the right node, too.
    const late = await hearing(service, cluster.keyIn(slotA, 'late'))
    const sent = await flow.stop()
    const last = flow.now()
    await until('the last has come', () => heard.every(({ seen }) => seen.includes(last)))
    await publisher.publish(late.channel, 'late', sharded)
    await until('it has come', () => late.seen.length > 0)
    assert.deepEqual(late.seen, ['late'])
    for (const { channel, seen } of heard) assertNothingSilentlyMissed(seen, sent.get(channel), channel)
    assert.deepEqual(
      heard.map(({ seen }) => seen.filter(({ missed }) => missed).length),
      [1, 0],
    )
    const iterated = []
    for await (const { value, missed } of stream) {
      if (missed) iterated.push({ missed })
      iterated.push(value)
      if (value === last) break
    }
    assert.deepEqual(iterated, heard[0].seen)

    // The former owner is back as a replica: nothing changes for those who listen.
    await cluster.start(dead)
    await cluster.ready()
    await publisher.publish(names[0], 'still', sharded)
    await until('it has come', () => heard[0].seen.includes('still'))

    // A planned fail-over: the former node may still publish, or there is a gap.
    await cluster.failover(dead)
    await until('messages come', async () => {
      await publisher.publish(names[0], 'after', sharded)
      return heard[0].seen.includes('after')
    })
    await Promise.all([service.disconnect(), publisher.disconnect()])
  })

  test('are heard from the new owner when the former goes on as a replica, which does not hear of everything', async (t) => {
    const owner = await cluster.nodeOf(slotC)
    const [replica] = await cluster.replicasOf(owner)
    const service = new RedisService({ url: cluster.url, log: false })
    // With other settings it has connections and a map of its own, as another process has.
    const publisher = new RedisService({ url: cluster.url, poolSize: 3, log: false })
    t.after(() => Promise.all([service.disconnect(), publisher.disconnect()]))
    const channel = cluster.keyIn(slotC)
    const { seen } = await hearing(service, channel)
    const flow = publishing(publisher, [channel])
    t.after(() => flow.stop())
    await until('it flows', () => flow.now() > 50)
    await cluster.failover(replica)
    await until('it is heard from the new owner', async () => (await channels(replica)).includes(channel))
    await until('the former owner is left', async () => !(await channels(owner)).length)
    const now = flow.now()
    await until('it is heard', () => seen.some((value) => value > now + 50))
    const sent = await flow.stop()
    await until('the last has come', () => seen.includes(flow.now()))
    assertNothingSilentlyMissed(seen, sent.get(channel), channel)
    assert.deepEqual(
      seen.filter(({ missed }) => missed),
      [{ missed: 'unknown' }],
    )
  })

  test('a subscription ends within its time where no node has its slot', async () => {
    const service = new RedisService({ url: 'redis-cluster://127.0.0.1:1', timeoutMs: 1000, log: false })
    const started = performance.now()
    await refuses(service.subscribe('c', () => {}, sharded))
    assert.ok(performance.now() - started < 3000)
    await service.disconnect()
  })

  test('leave a node that is cut off from all others, though it still replies', async (t) => {
    const owner = await cluster.nodeOf(slotB)
    const [replica] = await cluster.replicasOf(owner)
    const others = cluster.nodes.filter((node) => node !== owner)
    const service = new RedisService({ url: cluster.urlOf(others), keepAliveMs: 1000, log: false })
    t.after(() => service.disconnect())
    const channel = cluster.keyIn(slotB)
    const { seen } = await hearing(service, channel)
    assert.deepEqual(await channels(owner), [channel])
    // It accepts no messages of other nodes any more, so it does not learn that it has been replaced.
    await cluster.cutOff(owner)
    await replica.command('CLUSTER', 'FAILOVER', 'TAKEOVER')
    await until('it is heard from the new owner', async () => (await channels(replica)).includes(channel))
    await until('the former owner is left', async () => !(await channels(owner)).length)
    await replica.command('SPUBLISH', channel, '1')
    await until('it has come', () => seen.includes(1))
    assert.deepEqual(seen, [{ missed: 'unknown' }, 1])
  })
})
