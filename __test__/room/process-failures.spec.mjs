import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { RealtimeDataManager } from 'cinnabar'

import { rawClient, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { startMonitor } from '../support/monitor.mjs'
import { startRoomProcess } from '../support/rooms.mjs'

const redis = engines.find((engine) => engine.kind === 'redis')
const ROOMS = ['a', 'b', 'c', 'd', 'e']
const users = (name, count) => Array.from({ length: count }, (_, i) => [ROOMS[i % ROOMS.length], `${name}${i}`])

/** Three processes with members, and how many each room should have, by the data alone. */
async function withProcesses(leaseMs, run) {
  const service = await redis.makeService()
  const rooms = new RealtimeDataManager(service)
  const client = await rawClient(service)
  const processes = await Promise.all([0, 1, 2].map(() => startRoomProcess(redis.server.url, { leaseMs })))
  const counts = () => Promise.all(ROOMS.map(async (room) => Object.keys(await rooms.getRoomUsers(room)).length))
  const connections = async () => {
    const all = await Promise.all(ROOMS.map((room) => client.hGetAll(`room:{room:${room}:users}:refs`)))
    return all.flatMap((of) => Object.values(of)).reduce((sum, n) => sum + Number(n), 0)
  }
  try {
    await run({ processes, rooms, client, counts, connections })
  } finally {
    await Promise.all(processes.map((one) => one.kill()))
    await service.disconnect()
  }
}

describe('members of rooms in several processes', () => {
  for (const [leaseMs, within] of [
    [1000, 1000 + 1000 / 3],
    [undefined, 15_000],
  ]) {
    const lease = leaseMs ? `a lease of ${leaseMs} ms` : 'the default lease'
    test(`of one that is killed are gone everywhere in time, with ${lease}, and the count is exact`, async (context) => {
      await withProcesses(leaseMs, async ({ processes, counts, connections }) => {
        const [first, second, third] = processes
        await first.ask('watch', 'a', 'a')
        await first.ask('join', users('first', 300))
        await second.ask('join', [...users('second', 300), ...users('shared', 50)])
        await third.ask('join', [...users('third', 1000), ...users('shared', 50), ...users('shared', 50)])
        assert.deepEqual(await counts(), Array(5).fill(330))
        assert.equal(await connections(), 300 + 350 + 1100)
        const killed = performance.now()
        await third.kill()
        let lastThere = killed
        const left = async () => {
          const asked = performance.now()
          const gone = (await counts()).every((count) => count === 130)
          if (!gone) lastThere = asked
          return gone
        }
        await until('they are gone', left, 20)
        // By when they were there for the last time: asking takes its own time.
        const took = lastThere - killed
        context.diagnostic(`1,000 members were gone after ${Math.round(took)} ms`)
        // A moment for the sweep itself.
        assert.ok(took <= within + 500, `${took} ms`)
        assert.equal(await connections(), 300 + 350)
        await until('all is reported', async () => {
          const heard = await first.ask('heard', 'a')
          return heard.filter((change) => change.startsWith('leave')).length === 200
        })
        const heard = await first.ask('heard', 'a')
        assert.equal(heard.length, new Set(heard).size, 'each once')
        assert.equal(heard.filter((change) => /shared/.test(change)).length, 10, 'those on another process stay')
        await second.ask('leave', 1000)
        assert.deepEqual(await counts(), Array(5).fill(60))
        assert.equal(await connections(), 300)
      })
    })
  }

  test('are swept for a process that only asks who is there', async () => {
    await withProcesses(500, async ({ processes, counts, connections }) => {
      for (const [i, one] of processes.entries()) await one.ask('join', users(`user${i}x`, 10))
      await Promise.all(processes.map((one) => one.kill()))
      await until('the room is empty', async () => (await counts()).every((count) => count === 0))
      assert.equal(await connections(), 0)
    })
  })

  test('of ten thousand rooms, and ten thousand in one room, are swept with no run that removes many', async (context) => {
    await withProcesses(2000, async ({ processes, rooms, client }) => {
      const [first, second] = processes
      await first.ask('join', [['crowd', 'first']])
      const range = Array.from({ length: 10_000 }, (_, i) => i)
      await second.ask(
        'join',
        range.map((n) => [`room${n}`, 'user']),
      )
      await second.ask(
        'join',
        range.map((n) => ['crowd', `user${n}`]),
      )
      const monitor = await startMonitor(redis.server)
      const killed = performance.now()
      await second.kill()
      const crowd = () => client.hLen('room:crowd:users')
      await until('the crowd is gone', async () => (await crowd()) === 1, 30)
      await until('the dead one is forgotten', async () => (await client.zCard('room:{room:}:nodes')) === 1, 30)
      context.diagnostic(`20,000 members in 10,001 rooms were gone after ${Math.round(performance.now() - killed)} ms`)
      // How many members each run of a script removed: the server runs nothing else meanwhile.
      const removed = [0]
      for (const { script, words } of await monitor.stop()) {
        if (!script) removed.push(0)
        else if (words[0] === 'HINCRBY' && words[3] === '-1') removed[removed.length - 1]++
      }
      assert.ok(Math.max(...removed) <= 500, `one run removed ${Math.max(...removed)}`)
      assert.equal(
        removed.reduce((sum, count) => sum + count),
        20_000,
      )
      for (const n of [0, 5000, 9999]) assert.deepEqual({ ...(await rooms.getRoomUsers(`room${n}`)) }, {})
      const stopped = performance.now()
      await first.ask(
        'join',
        range.map((n) => [`room${n}`, 'user']),
      )
      await first.stop()
      context.diagnostic(`10,000 more joined and left at its end within ${Math.round(performance.now() - stopped)} ms`)
      assert.equal(await client.exists('room:{room:}:nodes'), 0)
      assert.equal(await crowd(), 0)
    })
  })

  test('of one that slept for longer than its lease are swept, and back when it wakes', async () => {
    await withProcesses(700, async ({ processes, counts, connections }) => {
      const [first, second] = processes
      await first.ask('join', users('first', 10))
      await second.ask('join', [...users('second', 600), ...users('first', 10)])
      second.sleep()
      await until('they are swept', async () => (await counts()).every((count) => count === 2))
      assert.equal(await connections(), 10)
      second.wake()
      await until('they are back', async () => (await counts()).every((count) => count === 122))
      await until('each is counted once', async () => (await connections()) === 620)
      await second.ask('leave', 300)
      await until('the first half has left', async () => (await connections()) === 320)
      await second.kill()
      await until('the others are swept', async () => (await counts()).every((count) => count === 2))
      assert.equal(await connections(), 10)
    })
  })

  test('of one that gets SIGTERM leave at once', async () => {
    await withProcesses(undefined, async ({ processes, counts, client }) => {
      const [first] = processes
      await first.ask('join', users('first', 1000))
      assert.deepEqual(await counts(), Array(5).fill(200))
      await first.stop()
      assert.deepEqual(await counts(), Array(5).fill(0))
      // It did not wait until its lease was over: that would have swept its members as well.
      assert.equal(await client.exists('room:{room:}:nodes'), 0, 'no lease is left')
    })
  })

  test('are there again after the server has lost its data', async () => {
    await withProcesses(700, async ({ processes, counts, connections }) => {
      const [first, second] = processes
      await first.ask('watch', 'a', 'a')
      await first.ask('join', users('first', 300))
      await second.ask('join', [...users('second', 300), ...users('first', 5)])
      await redis.server.kill()
      await sleep(200)
      await redis.server.start()
      await until(
        'they are back',
        async () => (await counts().catch(() => [])).join() === Array(5).fill(120).join(),
        30,
      )
      await until('each is counted once', async () => (await connections()) === 605)
      // A watcher has seen none of it, or all of it.
      let there
      await until('the watcher has seen all', async () => {
        there = new Set()
        for (const change of await first.ask('heard', 'a')) {
          const [type, user] = change.split(' ')
          if (type === 'join') assert.ok(!there.has(user) && there.add(user), change)
          else if (type === 'leave') assert.ok(there.delete(user), change)
        }
        return there.size === 120
      })
      await second.kill()
      await until('the dead are swept all the same', async () => (await counts()).every((count) => count === 60))
      assert.equal(await connections(), 300)
    })
  })

  test('come and go many times, and in the end no member is left', async () => {
    await withProcesses(500, async ({ processes, counts, connections, client }) => {
      for (let round = 0; round < 6; round++) {
        await Promise.all(processes.map((one, i) => one.ask('join', users(`user${i}`, 200))))
        const victim = processes[round % 3]
        if (round % 2) {
          victim.sleep()
          await sleep(300 + round * 100)
          victim.wake()
        } else {
          await victim.kill()
          processes[round % 3] = await startRoomProcess(redis.server.url, { leaseMs: 500 })
        }
        await Promise.all(processes.map((one) => one.ask('leave', 150)))
      }
      await Promise.all(processes.map((one) => one.ask('leave', 10_000)))
      await until('all have left', async () => (await counts()).every((count) => count === 0))
      await until('none is counted', async () => (await connections()) === 0)
      await Promise.all(processes.map((one) => one.stop()))
      const last = await startRoomProcess(redis.server.url, { leaseMs: 500 })
      await last.ask('join', [['a', 'last']])
      await until('the dead are forgotten', async () => (await client.zCard('room:{room:}:nodes')) === 1)
      await last.stop()
      assert.deepEqual(await counts(), Array(5).fill(0))
    })
  })
})
