import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { refuses, runModule, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { withQueue } from '../support/queues.mjs'

// Runs jobs until one of them kills it, or there is nothing left.
const WORKER = `
  import { writeSync } from 'node:fs'
  import { JobQueue, RedisService } from 'cinnabar'
  const [, url, name, concurrency] = process.argv
  const service = new RedisService({ url, log: false })
  const queue = new JobQueue(name, { service, leaseMs: 1000 })
  let running = 0
  queue.process(async (job) => {
    writeSync(1, job.id + ' ' + ++running + '\\n')
    if (job.id === 'poison') process.kill(process.pid, 'SIGKILL')
    await new Promise((resolve) => setTimeout(resolve, job.data))
    running--
  }, { concurrency: +concurrency })
  setInterval(async () => {
    const { ready, active } = await queue.counts()
    if (ready + active === 0) process.exit(0)
  }, 50)`

const redis = engines.find(({ kind }) => kind === 'redis')

describe('a job that kills its workers', () => {
  for (const [concurrency, ms] of [
    [1, 0],
    [20, 0],
    [20, 30],
  ]) {
    test(
      `harms none of those beside it, with ${concurrency} at once that take ${ms} ms`,
      withQueue(
        redis,
        async (queue) => {
          const reported = new Set()
          queue.on('active', ({ id }) => reported.add(id))
          const ids = Array.from({ length: 30 }, (_, i) => `good ${i}`)
          // In the middle, so that others have begun before it.
          ids.splice(3, 0, 'poison')
          await queue.addMany(ids.map((id) => ({ name: 'n', id, data: ms, attempts: 1 })))
          const begun = new Set()
          let known = 0
          for (let life = 0; life < 12 && (await queue.get('poison')).state !== 'dead'; life++) {
            const args = [redis.server.url, queue.name, String(concurrency)]
            const { out, err } = await runModule(WORKER, { args })
            assert.equal(err.replaceAll(/^cinnabar: job "poison".*$/gm, '').trim(), '')
            const lines = [...out.matchAll(/^(.*) (\d+)$/gm)]
            for (const [, id] of lines) begun.add(id)
            const beside = lines.find(([, id]) => id === 'poison')?.[2]
            if (known >= 2 && beside) assert.equal(beside, '1', 'it ran alone')
            known = (await queue.get('poison')).crashes
            const early = [...reported].filter((id) => !begun.has(id))
            assert.deepEqual(early, [], 'reported as active and never begun')
          }
          const poison = await queue.get('poison')
          assert.deepEqual([poison.state, poison.crashes], ['dead', 5])
          await until(
            'all others are done',
            async () => {
              if ((await queue.counts()).done === 30) return true
              await runModule(WORKER, { args: [redis.server.url, queue.name, '5'] })
              return false
            },
            60,
          )
          for (const id of ids.filter((id) => id !== 'poison')) {
            const { state, crashes } = await queue.get(id)
            assert.equal(state, 'done', id)
            assert.ok(crashes <= 2, `${id} was charged with ${crashes}`)
          }
        },
        { leaseMs: 1000, defaults: { attempts: 1 } },
      ),
    )
  }
})

/** How many jobs the store knows to be waited for. */
const waitedFor = (service, queue) => service.getClient().hLen(`queue:{queue:${queue.name}}:waited`)

for (const engine of engines) {
  describe(`the end of a job on ${engine.name}`, () => {
    const on = (run, options) => withQueue(engine, run, options)

    test(
      'reaches every caller that waits for it, whatever is kept',
      on(async (queue, service) => {
        await queue.pause()
        const jobs = await queue.addMany(
          Array.from({ length: 150 }, (_, i) => ({ name: 'n', data: i, keep: i % 3 !== 0 })),
        )
        const ends = Promise.all(jobs.map((job) => job.finished({ timeoutMs: 20_000 })))
        await until('all wait', async () => (await waitedFor(service, queue)) === jobs.length)
        queue.process(({ data }) => String(data).padEnd(9000, 'r'), { concurrency: 50 })
        await queue.resume()
        for (const [i, end] of (await ends).entries()) assert.equal(end, String(i).padEnd(9000, 'r'))
      }),
    )

    test(
      'comes to two who waited, and not to one who came too late',
      on(
        async (queue, service) => {
          const other = service.queue(queue.name)
          const job = await queue.add('n', 'x'.repeat(9000), { delay: 100 })
          const ends = [job, await other.get(job.id)].map((one) => one.finished({ timeoutMs: 10_000 }))
          queue.process(({ data }) => data)
          for (const end of ends) assert.equal((await end).length, 9000)
          await until('no call waits any more', async () => {
            const found = await other.get(job.id)
            return found === null
          })
          await until('nothing is kept for them', () =>
            job.finished({ timeoutMs: 1000 }).then(
              () => false,
              ({ code }) => code === 'E_JOB_GONE',
            ),
          )
        },
        { keep: { done: false } },
      ),
    )

    test(
      'that was removed is reported to those who wait',
      on(async (queue, service) => {
        const job = await queue.add('n', null, { delay: 60_000 })
        const end = refuses(job.finished({ timeoutMs: 10_000 }), 'E_JOB_GONE')
        await until('it is waited for', async () => (await waitedFor(service, queue)) === 1)
        assert.equal(await queue.remove(job.id), true)
        await end
      }),
    )
  })
}

test('a clock that is set forward runs no job twice and removes no member from a room', async () => {
  const [memory] = engines
  await withQueue(memory, async (queue, service) => {
    const seen = []
    let running = 0
    let most = 0
    queue.process(
      async () => {
        most = Math.max(most, ++running)
        // Longer than a worker watches the clock before it takes over what seems to be over.
        await delay(1500)
        running--
      },
      { concurrency: 2 },
    )
    await service.rooms.watch('lobby', ({ type }) => seen.push(type))
    await service.rooms.join('lobby', 'ada')
    const job = await queue.add('n')
    await until('it runs', () => running === 1)
    await memory.advance(service, 11_000)
    await job.finished({ timeoutMs: 10_000 })
    // And as long again, in case a worker would run it once more.
    await delay(1500)
    assert.equal(most, 1)
    assert.equal((await queue.get(job.id)).crashes, 0)
    assert.deepEqual(seen, ['join'])
  })()
})
