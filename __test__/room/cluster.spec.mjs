import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { RealtimeDataManager, RedisService } from 'cinnabar'

import { until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { startRoomProcess } from '../support/rooms.mjs'

const range = (count, first = 0) => Array.from({ length: count }, (_, i) => first + i)

describe('rooms in a cluster', () => {
  let cluster, service, rooms
  before(async () => {
    cluster = await startCluster({ primaries: 3, replicas: 1 })
    service = new RedisService({ url: cluster.url, log: false })
    rooms = new RealtimeDataManager(service)
  })
  after(async () => {
    await service.disconnect()
    await cluster.close()
  })

  const names = range(24).map((n) => `room${n}`)
  const counts = (list = names) =>
    Promise.all(list.map(async (room) => Object.keys(await rooms.getRoomUsers(room)).length))
  /** The same while a server may be away. */
  const sum = async (list) => (await counts(list).catch(() => [NaN])).reduce((sum, count) => sum + count)

  test('members on all servers are swept when their process is killed, and that is reported', async () => {
    const [first, second] = await Promise.all([0, 1].map(() => startRoomProcess(cluster.url, { leaseMs: 1000 })))
    await first.ask('join', [...names.map((room) => [room, 'first']), ...names.map((room) => [room, 'both'])])
    for (const room of names.slice(0, 6)) await first.ask('watch', room, room)
    await second.ask('join', [
      ...names.flatMap((room) => range(20).map((n) => [room, `second${n}`])),
      ...names.map((room) => [room, 'both']),
    ])
    assert.deepEqual(await counts(), Array(24).fill(22))
    await second.kill()
    await until('they are swept', async () => (await counts()).every((count) => count === 2))
    await until('it is reported', async () => (await first.ask('heard', 'room5')).length === 40)
    assert.deepEqual(
      (await first.ask('heard', 'room5')).filter((change) => /both/.test(change)),
      [],
    )
    await first.stop()
    assert.deepEqual(await counts(), Array(24).fill(0))
  })

  test('members and messages stay with a room whose slot moves', async () => {
    const process = await startRoomProcess(cluster.url, { leaseMs: 1000 })
    const slots = [cluster.keySlot('room:moving:users'), cluster.keySlot('room:moving:messages')]
    await process.ask(
      'join',
      range(20).map((n) => ['moving', `user${n}`]),
    )
    await process.ask('listen', 'all', 'moving')
    const sending = process.ask('send', 'moving', 's', 3000, 4)
    for (const slot of slots) {
      const from = await cluster.nodeOf(slot)
      const to = (await cluster.primaries()).find((node) => node !== from)
      await cluster.migrate(slot, from, to, { keys: 10 })
    }
    const outcomes = await sending
    await process.ask('send', 'moving', 'end', 1, 1)
    await until('all has come', async () => (await process.ask('heard', 'all')).at(-1)[1] === 'end:0')
    const heard = await process.ask('heard', 'all')
    assert.deepEqual(outcomes, { sent: 3000 })
    assert.deepEqual(
      heard.map(([seq]) => seq),
      range(3001, heard[0][0]),
    )
    assert.deepEqual(await counts(['moving']), [20])
    await process.ask('leave', 5)
    assert.deepEqual(await counts(['moving']), [15])
    await process.kill()
    await until('they are swept', async () => (await counts(['moving']))[0] === 0)
  })

  test('members and messages go on after a server has failed', async () => {
    const process = await startRoomProcess(cluster.url, { leaseMs: 1500 })
    const list = range(12).map((n) => `failing${n}`)
    await process.ask(
      'join',
      list.flatMap((room) => range(5).map((n) => [room, `user${n}`])),
    )
    await process.ask('listen', 'all', 'failing0')
    await process.ask('send', 'failing0', 'before', 10, 1)
    await cluster.ready()
    const primary = await cluster.nodeOf(cluster.keySlot('room:failing0:messages'))
    await primary.kill()
    await until(
      'another has taken over',
      async () => {
        const sent = await process.ask('send', 'failing0', 'after', 1, 1)
        return sent.sent === 1
      },
      30,
    )
    await until('all has come', async () => (await process.ask('heard', 'all')).at(-1)[1]?.startsWith('after'), 30)
    const heard = await process.ask('heard', 'all')
    const texts = heard.map(([, what]) => what).filter(Boolean)
    assert.deepEqual(
      texts.slice(0, 10),
      range(10).map((n) => `before:${n}`),
    )
    await until('all are there', async () => (await sum(list)) === 60, 30)
    await process.kill()
    await until('they are swept', async () => (await sum(list)) === 0, 30)
    await primary.start()
  })
})
