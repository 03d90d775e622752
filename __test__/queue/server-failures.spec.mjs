// Queues while their server hangs, is killed, comes back; and what an idle worker costs it.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, mock, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { JobQueue, RedisService } from 'cinnabar'

import { deferred, refuses, until } from '../helpers.mjs'
import { startRedis } from '../support/engines.mjs'
import { measureLateness } from '../support/lateness.mjs'

// What it has acknowledged survives a kill.
const server = await startRedis({ args: ['--appendonly', 'yes', '--appendfsync', 'always'] })

async function withQueue(run, options, settings) {
  await server.start()
  const service = new RedisService({ url: server.url, log: false, timeoutMs: 1000, connectWaitMs: 500, ...settings })
  const queue = new JobQueue(`q-${randomUUID()}`, { service, ...options })
  try {
    await run(queue, service)
  } finally {
    if (server.paused) server.resume()
    await server.start()
    await service.disconnect()
  }
}

const median = (times) => times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)]

/** How many commands clients have sent so far that run scripts. */
async function scripts() {
  const text = await server.command('INFO', 'commandstats')
  const calls = [...text.matchAll(/^cmdstat_eval(?:sha)?(?:_ro)?:calls=(\d+)/gm)].map(([, count]) => Number(count))
  return calls.reduce((sum, count) => sum + count, 0)
}

describe('a worker of a server', () => {
  test('that is idle asks it at most once a second, and is woken at once', async () => {
    await withQueue(async (queue) => {
      const seen = []
      queue.process((job) => seen.push(performance.now() - job.data))
      await queue.add('warm', performance.now())
      await until('it works', () => seen.length === 1)
      await delay(300)
      const [before, since] = [await scripts(), performance.now()]
      await delay(3000)
      const asked = (await scripts()) - before
      const seconds = (performance.now() - since) / 1000
      assert.ok(asked <= seconds + 1, `${asked} scripts in ${seconds} s`)
      seen.length = 0
      const lateness = measureLateness()
      for (let n = 1; n <= 5; n++) {
        await delay(200)
        await queue.add('wake', performance.now())
        await until('it is woken', () => seen.length === n)
      }
      const late = lateness.stop()
      assert.ok(median(seen) - late / 5 < 300, `it took ${seen} ms, with timers ${late} ms late`)
    })
  })

  test('takes a delayed job at its time', async () => {
    await withQueue(async (queue) => {
      const took = []
      queue.process((job) => took.push(performance.now() - job.data))
      const lateness = measureLateness()
      for (let n = 1; n <= 5; n++) {
        await queue.add('later', performance.now(), { delay: 400 })
        await until('it is done', () => took.length === n)
      }
      const late = lateness.stop()
      const message = `it took ${took} ms, with timers ${late} ms late`
      assert.ok(Math.min(...took) >= 395 && median(took) - late / 5 < 800, message)
    })
  })

  test('goes on within two seconds after it was killed, and loses no end of a job', async () => {
    await withQueue(async (queue) => {
      const errors = []
      const gate = deferred()
      const seen = []
      queue.on('error', (error) => errors.push(error.code))
      queue.process(
        async (job) => {
          seen.push(job.data)
          if (job.data === 'held') await gate.promise
          return job.data
        },
        { concurrency: 2 },
      )
      const held = await queue.add('n', 'held')
      await until('it runs', () => seen.length === 1)
      await server.kill()
      gate.resolve()
      await delay(1500)
      await refuses(queue.with({ timeoutMs: 200 }).add('n', 'while it is gone'), undefined)
      await server.start()
      const [back, lateness] = [performance.now(), measureLateness()]
      assert.equal(await held.finished({ timeoutMs: 20_000 }), 'held')
      const [took, late] = [performance.now() - back, lateness.stop()]
      assert.ok(took - late < 2000, `it took ${took} ms, with timers ${late} ms late`)
      assert.deepEqual([seen.length, (await queue.get(held.id)).crashes], [1, 0], 'done once')
      const next = await queue.add('n', 'next')
      assert.equal(await next.finished({ timeoutMs: 5000 }), 'next')
      assert.equal(errors.length, 1, `reported once: ${errors}`)
    })
  })

  test('keeps ends of jobs while it hangs', async () => {
    await withQueue(
      async (queue) => {
        const gate = deferred()
        let runs = 0
        queue.process(async () => {
          runs++
          await gate.promise
          return 'kept'
        })
        const job = await queue.add('n')
        await until('it runs', () => runs === 1)
        server.pause()
        gate.resolve()
        await delay(1500)
        server.resume()
        assert.equal(await job.finished({ timeoutMs: 9000 }), 'kept')
        assert.equal(runs, 1)
      },
      { leaseMs: 10_000 },
    )
  })

  test('reports what it could not deliver when it closes without it', async () => {
    await withQueue(async (queue) => {
      const gate = deferred()
      let runs = 0
      const worker = queue.process(() => {
        runs++
        return gate.promise
      })
      const job = await queue.add('n')
      await until('it runs', () => runs === 1)
      await server.kill()
      gate.resolve()
      const started = performance.now()
      assert.deepEqual(await worker.close({ timeoutMs: 300 }), { unfinished: [job.id] })
      assert.ok(performance.now() - started < 1500)
    })
  })

  test('may begin before it is there', async () => {
    await server.kill()
    const service = new RedisService({ url: server.url, log: false, timeoutMs: 1000, connectWaitMs: 300 })
    const queue = new JobQueue(`q-${randomUUID()}`, { service })
    const seen = []
    queue.process((job) => seen.push(job.data))
    await refuses(queue.add('n', 1), 'E_UNAVAILABLE')
    await server.start()
    await until('it can be added to', () => queue.add('n', 2).then(Boolean, () => false))
    await until('it works', () => seen.length > 0)
    await service.disconnect()
  })

  test('no job seems added that is not, whatever the service says', async () => {
    await server.kill()
    const service = new RedisService({ url: server.url, log: false, onUnavailable: 'empty', connectWaitMs: 100 })
    const queue = new JobQueue('none', { service })
    for (const call of [
      () => queue.add('n'),
      () => queue.addMany([{ name: 'n' }]),
      () => queue.get('x'),
      () => queue.counts(),
    ]) {
      await refuses(call(), 'E_UNAVAILABLE')
    }
    await service.disconnect()
  })

  test('says once what is wrong with the queue itself', async () => {
    const warn = mock.method(console, 'warn', () => {})
    try {
      await withQueue(async (queue, service) => {
        await queue.add('n', 1)
        await service.connect()
        const client = service.getClient()
        const keys = await client.sendCommand(['KEYS', `*${queue.name}*:ready`])
        assert.equal(keys.length, 1)
        await client.sendCommand(['RENAME', keys[0], 'elsewhere'])
        await client.set(keys[0], 'no sorted set')
        const seen = []
        queue.process((job) => seen.push(job.data))
        await until('it says so', () => warn.mock.callCount() > 0)
        await delay(300)
        assert.equal(warn.mock.callCount(), 1)
        assert.match(
          warn.mock.calls[0].arguments[0],
          /^cinnabar: a worker of the queue "q-.*" is paused by an error: .*WRONGTYPE/,
        )
        await client.sendCommand(['RENAME', 'elsewhere', keys[0]])
        await until('it goes on', () => seen.length === 1)
      })
    } finally {
      warn.mock.restore()
    }
  })
})

describe('a store that is full', () => {
  const stores = {
    'of this process': async () => ({ url: `memory:${randomUUID()}`, maxBytes: 1_048_576 }),
    'on a server': async () => ({ url: (await startRedis({ args: ['--maxmemory', '6mb'] })).url }),
  }
  for (const [name, start] of Object.entries(stores)) {
    test(`${name} refuses jobs, loses none, and lets workers go on until it has room`, async (context) => {
      const service = new RedisService({ ...(await start()), log: false })
      context.after(() => service.disconnect())
      const queue = new JobQueue('q', { service, keep: { done: false } })
      const data = 'x'.repeat(10_000)
      const added = []
      const fill = async () => {
        for (;;) added.push((await queue.add('job', data)).id)
      }
      const error = await refuses(fill(), 'E_OUT_OF_MEMORY')
      assert.equal(error.retryable, true)
      // What ends by itself has to make room first: of what was added nothing may go.
      // A job needs more room than its data, so there may still be some for as much data, but not for twice as much.
      await refuses(service.set('other', data + data, { EX: 100 }), 'E_OUT_OF_MEMORY')
      assert.ok(added.length > 20, `${added.length} had room`)
      assert.equal((await queue.counts()).ready, added.length)
      const done = []
      queue.process((job) => done.push([job.id, job.data === data]))
      await until('all are done', () => done.length >= added.length)
      assert.deepEqual(
        done,
        added.map((id) => [id, true]),
      )
      await queue.add('job', data)
    })
  }
})

describe('a server that drops keys', () => {
  test('is said once, where its queues are worked on', async (context) => {
    const start = async (...args) => (await startRedis({ args })).url
    const reported = async (url) => {
      const events = []
      const services = [1, 2].map(() => new RedisService({ url, log: (event) => events.push(event) }))
      context.after(() => Promise.all(services.map((service) => service.disconnect())))
      for (const service of services) await service.connect()
      for (const service of services) {
        const queue = new JobQueue('q', { service })
        queue.process(() => {})
        queue.process(() => {})
        // The server is asked before jobs are, over one connection.
        await (await queue.add('job', 1)).finished()
      }
      return events.filter(({ type }) => type === 'evicts')
    }
    const bad = await start('--maxmemory', '100mb', '--maxmemory-policy', 'allkeys-lru')
    const events = await reported(bad)
    assert.equal(events.length, 2, 'each of two services hears it once')
    for (const { target, message } of events) {
      assert.equal(target, new URL(bad).host)
      assert.match(message, /^\S+ evicts keys when it is full \(maxmemory-policy allkeys-lru\).*noeviction$/)
    }
    const good = [
      await start('--maxmemory-policy', 'allkeys-lru'),
      await start('--maxmemory', '100mb', '--maxmemory-policy', 'noeviction'),
      `memory:${randomUUID()}`,
    ]
    for (const url of good) assert.deepEqual(await reported(url), [])
  })
})
