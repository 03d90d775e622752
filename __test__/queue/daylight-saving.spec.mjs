// One job a slot while those who look for slots come and go, on both days of 2027 on which the clocks of Berlin change.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'

import { JobQueue, RedisService } from 'cinnabar'
import { advanceTime } from 'cinnabar/testing'

import { createSandbox, setClock } from '../../tests/faults/sandbox.mjs'
import { randomFrom } from '../../tests/faults/proxy/random.mjs'
import { rawClient, root, until } from '../helpers.mjs'
import { background, end } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'

const QUARTER_MS = 900_000
const SCHEDULERS = 5
const BERLIN = { timeZone: 'Europe/Berlin' }
const SCHEDULES = {
  quarter: { cron: '*/15 * * * *', ...BERLIN },
  // Skipped on one day, and twice there on the other.
  night: { cron: '30 2 * * *', ...BERLIN },
  morning: { cron: '0 3 * * *', ...BERLIN },
}
const DAYS = [
  {
    name: 'in March, when 02:00 is followed by 03:00',
    change: '2027-03-28T01:00Z',
    night: ['2027-03-28T01:00Z', '2027-03-29T00:30Z'],
    morning: ['2027-03-28T01:00Z', '2027-03-29T01:00Z'],
  },
  {
    name: 'in October, when 03:00 is followed by 02:00',
    change: '2027-10-31T01:00Z',
    night: ['2027-10-31T00:30Z', '2027-11-01T01:30Z'],
    morning: ['2027-10-31T02:00Z', '2027-11-01T02:00Z'],
  },
]
const HOUR_MS = 3_600_000

/** The ids of the jobs that there must be for the slots after one time and up to another. */
function expected(day, from, to) {
  const ids = []
  for (let slot = from + QUARTER_MS; slot <= to; slot += QUARTER_MS) ids.push(`quarter:${slot}`)
  for (const name of ['night', 'morning']) {
    const slots = day[name].map((time) => Date.parse(time)).filter((slot) => slot > from && slot <= to)
    ids.push(...slots.map((slot) => `${name}:${slot}`))
  }
  return ids.sort()
}

/** A moment of the store's clock, in epoch milliseconds. */
async function timeOf(client) {
  const [seconds, micros] = await client.sendCommand(['TIME'])
  return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000)
}

/** Waits until no slot is due any more, and returns how many have fired. */
async function allFired(queue, now) {
  let repeats
  await until('every slot that has come has fired', async () => {
    repeats = await queue.repeats()
    return repeats.every(({ nextAt }) => nextAt > now)
  })
  return repeats.reduce((sum, { fired }) => sum + fired, 0)
}

describe('daylight saving', () => {
  for (const day of DAYS) {
    test(`one job a slot on the embedded engine ${day.name}`, async (t) => {
      const random = randomFrom(1)
      const [url, name] = [`memory:${randomUUID()}`, 'q']
      const service = new RedisService({ url })
      t.after(() => service.disconnect())
      const client = await rawClient(service)
      const queue = new JobQueue(name, { service })
      const [from, to] = [-12, 36].map((hours) => Date.parse(day.change) + hours * HOUR_MS)
      await advanceTime(service, from - (await timeOf(client)))

      const added = []
      queue.on('added', ({ id }) => added.push(id))
      const done = []
      const schedulers = []
      const open = async () => {
        const mine = new JobQueue(name, { service: new RedisService({ url }) })
        mine.process((job) => done.push(job.id))
        for (const [id, schedule] of Object.entries(SCHEDULES)) await mine.repeat(id, schedule, id)
        return mine
      }
      for (let i = 0; i < SCHEDULERS; i++) schedulers.push(await open())

      for (let slot = from + QUARTER_MS; slot <= to; slot += QUARTER_MS) {
        const now = slot + Math.floor(random() * 5000)
        await advanceTime(service, now - (await timeOf(client)))
        // Those that sleep computed how long from the clock as it was.
        await queue.resume()
        const restarted = Math.floor(random() * SCHEDULERS)
        await schedulers[restarted].close()
        schedulers[restarted] = await open()
        await allFired(queue, now)
        await until('all are done', async () => {
          const { ready, active } = await queue.counts()
          return ready + active === 0
        })
      }
      await Promise.all(schedulers.map((one) => one.close()))
      assert.deepEqual(added.sort(), expected(day, from, to))
      assert.deepEqual(done.sort(), expected(day, from, to))
    })
  }

  test('one job a slot on a server, whose workers are processes that are killed, on both days', async (t) => {
    const random = randomFrom(2)
    const { env } = await createSandbox('clock')
    process.env.FAULTS_CLOCK = env.FAULTS_CLOCK
    setClock(0)
    // The server's clock is another one than that of those who use it.
    const server = await startRedis({ env })
    const service = new RedisService({ url: server.url })
    t.after(() => service.disconnect())
    const client = await rawClient(service)
    const queue = new JobQueue('q', { service })
    const added = []
    queue.on('added', ({ id }) => added.push(id))
    let kills = 0

    for (const day of DAYS) {
      const [from, to] = [-3, 26].map((hours) => Date.parse(day.change) + hours * HOUR_MS)
      const moveTo = async (time) => setClock(Math.round((time - Date.now()) / 1000))
      await moveTo(from + 1000)
      for (const [id, schedule] of Object.entries(SCHEDULES)) await queue.repeat(id, schedule, id)
      added.length = 0
      const workers = Array.from({ length: SCHEDULERS }, () => startWorker(server.url))
      let going = true
      const killer = (async () => {
        while (going) {
          const victim = Math.floor(random() * SCHEDULERS)
          // One that is killed before it works would have done nothing to go wrong, and none might come to work.
          await Promise.race([workers[victim].working, workers[victim].ended])
          await new Promise((resolve) => setTimeout(resolve, 50 + random() * 150))
          await end(workers[victim], 'SIGKILL')
          kills++
          workers[victim] = startWorker(server.url)
        }
      })()
      try {
        for (let slot = from + QUARTER_MS; slot <= to; slot += QUARTER_MS) {
          await moveTo(slot + 1000)
          await allFired(queue, slot)
        }
      } finally {
        going = false
        await killer
      }
      const ids = expected(day, from, to)
      await until('all are reported', () => added.length >= ids.length)
      assert.deepEqual(added.slice().sort(), ids)
      // A lease of a killed worker ends, and the job is done by another.
      await until('all are done', async () => {
        const { ready, delayed, active, dead } = await queue.counts()
        assert.equal(dead, 0)
        return ready + delayed + active === 0
      })
      const ran = new Set(await client.sMembers('ran'))
      assert.deepEqual(
        ids.filter((id) => !ran.has(id)),
        [],
      )
      await Promise.all(workers.map((worker) => end(worker, 'SIGKILL')))
      for (const id of Object.keys(SCHEDULES)) await queue.unrepeat(id)
    }
    t.diagnostic(`${kills} workers were killed`)
    assert.ok(kills >= 10)
  })
})

/** A process that works, and says at its start what repeats, as programs do. Its `working` resolves once it does. */
function startWorker(url) {
  const source = `
    import { JobQueue, RedisService } from 'cinnabar'
    const service = new RedisService({ url: ${JSON.stringify(url)} })
    await service.connect()
    const queue = new JobQueue('q', { service, leaseMs: 1000, maxCrashes: 1000 })
    for (const [id, schedule] of Object.entries(${JSON.stringify(SCHEDULES)})) await queue.repeat(id, schedule, id)
    queue.process((job) => service.getClient().sAdd('ran', job.id), { concurrency: 2 })
    process.send('working')`
  const worker = background(process.execPath, ['--input-type=module', '-e', source], {
    cwd: root,
    env: { PATH: process.env.PATH },
    talks: true,
  })
  worker.working = new Promise((resolve) => worker.once('message', resolve))
  return worker
}
