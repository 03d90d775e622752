// A process with members and listeners in rooms, which does what messages ask for.

import { RealtimeDataManager, RedisService, shutdownOnSignal } from 'cinnabar'

const { url, leaseMs } = JSON.parse(process.argv[2])
const service = new RedisService({ url, log: false, retryAttempts: 3 })
const rooms = new RealtimeDataManager(service, { leaseMs })
const members = []
const heard = {}
shutdownOnSignal(['SIGTERM'], service)

const calls = {
  async join(list) {
    members.push(...(await Promise.all(list.map(([room, user]) => rooms.join(room, user, { pid: process.pid })))))
  },
  async leave(count) {
    await Promise.all(members.splice(0, count).map((member) => member.leave()))
  },
  users: (room) => rooms.getRoomUsers(room).then(Object.keys),
  async listen(name, room, since) {
    const list = (heard[name] = [])
    const listener = await rooms.listen(room, ({ by, n }, seq) => list.push([seq, `${by}:${n}`]), {
      since,
      onGap: ({ missed }) => list.push([missed]),
    })
    return listener !== undefined
  },
  async watch(name, room) {
    const list = (heard[name] = [])
    await rooms.watch(room, ({ type, userId }) => list.push(`${type} ${userId}`))
  },
  heard: (name) => heard[name],
  // As many as wanted, some at a time, going on whatever happens; returns what became of each.
  async send(room, by, count, atOnce, bytes = 0) {
    const text = 'x'.repeat(bytes)
    const outcomes = {}
    let next = 0
    const sender = async () => {
      while (next < count) {
        const n = next++
        const outcome = await rooms.send(room, { by, n, text }).then(
          () => 'sent',
          ({ code }) => code,
        )
        outcomes[outcome] = (outcomes[outcome] ?? 0) + 1
        if (outcome !== 'sent') await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
    await Promise.all(Array.from({ length: atOnce }, sender))
    return outcomes
  },
  memory: () => process.memoryUsage().rss,
}

process.on('message', async ({ id, call, args }) => {
  try {
    process.send({ id, result: await calls[call](...args) })
  } catch (error) {
    process.send({ id, error: error.stack })
  }
})
process.on('disconnect', () => process.exit())
await service.connect()
process.send({ id: 0 })
