import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { describe, mock, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { JobQueue, RedisService } from 'cinnabar'

import { rawClient, refuses, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { expiring, withQueue } from '../support/queues.mjs'

const EVENTS = [
  'added',
  'active',
  'progress',
  'completed',
  'failed',
  'retrying',
  'stalled',
  'dead',
  'removed',
  'retried',
]

for (const engine of engines) {
  describe(`events of a queue on ${engine.name}`, () => {
    const on = (run, options) => withQueue(engine, run, options)

    /** Listens to everything; returns what came for a job, and waits until the channel is heard. */
    async function listen(queue) {
      const seen = []
      for (const event of EVENTS) queue.on(event, (details) => seen.push([event, details]))
      // What is added is heard once the subscription stands.
      await until('it listens', async () => {
        await queue.add('probe', 1, { delay: 3_600_000 })
        await delay(5)
        return seen.length > 0
      })
      return (id) => seen.filter(([, details]) => details.id === id).map(([event, { id: _, ...rest }]) => [event, rest])
    }

    test(
      'report each state of a job',
      on(async (queue) => {
        const of = await listen(queue)
        queue.process((job, { progress }) => {
          progress(0.5)
          if (job.attempt === 1) throw Object.assign(new TypeError('first'), { code: 'E_OWN' })
          return { fine: true }
        })
        const job = await queue.add('n', 1, { id: 'a', attempts: 2, backoff: 0 })
        assert.deepEqual(await job.finished({ timeoutMs: 5000 }), { fine: true })
        await until('all have come', () => of('a').some(([event]) => event === 'completed'))
        const events = of('a')
        const error = events.find(([event]) => event === 'failed')[1].error
        assert.deepEqual([error.name, error.message, error.code], ['TypeError', 'first', 'E_OWN'])
        assert.deepEqual(
          events.map(([event, { attempt }]) => [event, attempt]),
          [
            ['added', undefined],
            ['active', 1],
            ['progress', undefined],
            ['failed', 1],
            ['retrying', 1],
            ['active', 2],
            ['progress', undefined],
            ['completed', 2],
          ],
        )
        assert.deepEqual(events[0][1], { name: 'n' })
        assert.deepEqual(events[2][1], { progress: 0.5 })
        assert.deepEqual(events.at(-1)[1].result, { fine: true })
      }),
    )

    test(
      'report that a job is dead, is redriven, and is removed',
      on(async (queue) => {
        const of = await listen(queue)
        queue.process(() => {
          throw new Error('no')
        })
        const job = await queue.add('n', 1, { id: 'b', attempts: 1 })
        await refuses(job.finished({ timeoutMs: 5000 }), 'E_JOB_FAILED')
        await queue.pause()
        await queue.retry('b')
        await queue.remove('b')
        await until('all have come', () => of('b').some(([event]) => event === 'removed'))
        assert.deepEqual(
          of('b').map(([event]) => event),
          ['added', 'active', 'failed', 'dead', 'retried', 'removed'],
        )
      }),
    )

    test(
      'say when a worker was gone',
      on(
        async (queue, service) => {
          const of = await listen(queue)
          queue.process(() => new Promise(() => {}))
          await queue.add('n', 1, { id: 'c' })
          await until('it runs', () => of('c').length === 2)
          queue.process(() => new Promise(() => {}))
          const expire = await expiring(await rawClient(service), queue, ['c'])
          await until('it runs again', async () => {
            if (of('c').length < 4) await expire()
            return of('c').length === 4
          })
          assert.deepEqual(of('c').slice(2), [
            ['stalled', { crashes: 1 }],
            ['active', { attempt: 1 }],
          ])
        },
        { leaseMs: 1000 },
      ),
    )

    test(
      'come to once, to several, in their context, and stop with the last listener',
      on(async (queue) => {
        const storage = new AsyncLocalStorage()
        const seen = []
        let heard
        const listener = ({ id }) => {
          seen.push(storage.getStore())
          heard = id
        }
        storage.run('first', () => queue.on('added', listener))
        storage.run('second', () => queue.addListener('added', listener))
        storage.run('once', () => queue.once('added', listener))
        assert.equal(queue.listenerCount('added'), 3)
        let last
        await until('it listens', async () => {
          ;({ id: last } = await queue.add('n'))
          await delay(5)
          return seen.length >= 3
        })
        await until('the last of them is heard', () => heard === last)
        assert.deepEqual(seen.slice(0, 3), ['first', 'second', 'once'])
        assert.equal(queue.listenerCount('added'), 2)
        queue.off('added', listener)
        const before = seen.length
        await queue.add('n')
        await until('one hears', () => seen.length === before + 1)
        queue.removeListener('added', listener).off('added', () => {})
        assert.equal(queue.listenerCount('added'), 0)
        await queue.add('n')
        await delay(30)
        assert.equal(seen.length, before + 1)
        queue.on('added', listener).on('dead', listener).removeAllListeners()
        assert.equal(queue.listenerCount('added') + queue.listenerCount('dead'), 0)
        let [next, added] = [undefined, 0]
        const coming = once(queue, 'added').then(([event]) => (next = event))
        await until('it listens again', async () => {
          await queue.add('n', 1, { id: `x${added++}` })
          await delay(5)
          return next
        })
        await coming
        assert.match(next.id, /^x\d/)
      }),
    )

    test(
      'of a listener that throws or rejects do no harm and are reported once',
      on(async (queue) => {
        const error = mock.method(console, 'error', () => {})
        try {
          let seen = 0
          queue.on('added', () => {
            throw new Error('mine')
          })
          queue.on('added', async () => {
            throw new Error('mine too')
          })
          queue.on('added', () => seen++)
          await until('all have come', async () => {
            await queue.add('n')
            await delay(5)
            return seen >= 3
          })
          assert.equal(error.mock.callCount(), 1)
          assert.match(error.mock.calls[0].arguments[0], /A handler subscribed to "queue q-.* failed/)
        } finally {
          error.mock.restore()
        }
      }),
    )

    test(
      'are reported in other processes too, and leave out what is too long',
      on(async (queue, service) => {
        const other = new JobQueue(queue.name, {
          service: engine.kind === 'redis' ? new RedisService({ url: engine.server.url }) : service,
        })
        const of = await listen(other)
        queue.process((job) => job.data)
        const long = 'x'.repeat(500_000)
        const job = await queue.add('n', long, { id: 'long' })
        assert.equal(await job.finished({ timeoutMs: 5000 }), long)
        await until('it is heard', () => of('long').some(([event]) => event === 'completed'))
        assert.deepEqual(of('long').at(-1), ['completed', { attempt: 1, partial: true }])
        await other.close()
      }),
    )

    test(
      'many waits end, each with its own job',
      on(
        async (queue) => {
          queue.process((job) => job.data, { concurrency: 20 })
          const jobs = await queue.addMany(Array.from({ length: 500 }, (_, data) => ({ name: 'n', data })))
          const results = await Promise.all(jobs.map((job) => job.finished({ timeoutMs: 20_000 })))
          // Of those that are done longer ago than the last hundred nothing is kept: a late call finds nothing.
          assert.deepEqual(
            results,
            Array.from({ length: 500 }, (_, data) => data),
          )
        },
        { keep: { done: { count: 1000 } } },
      ),
    )

    test(
      'waiting and listening end when the queue is closed',
      on(async (queue) => {
        await queue.pause()
        const worker = queue.process(() => {})
        queue.on('added', () => {})
        const job = await queue.add('n')
        const waiting = refuses(job.finished(), 'E_CLOSED')
        await delay(20)
        assert.deepEqual(await queue.close(), { unfinished: [] })
        await waiting
        assert.equal(queue.listenerCount('added'), 0)
        assert.deepEqual(await worker.close(), { unfinished: [] })
        assert.equal((await queue.counts()).ready, 1, 'everything else goes on')
      }),
    )

    test(
      'refuses an event that there is not, and what is no listener',
      on(async (queue) => {
        for (const call of [
          () => queue.on('done', () => {}),
          () => queue.off('done', () => {}),
          () => queue.off('added'),
          () => queue.off('added', 'listener'),
          () => queue.listenerCount('complete'),
          () => queue.removeAllListeners('complete'),
          () => queue.removeAllListeners(null),
        ]) {
          assert.throws(call, { code: 'E_INVALID_ARGUMENT' }, String(call))
        }
        assert.equal(
          queue
            .off('added', () => {})
            .removeAllListeners('added')
            .removeAllListeners(),
          queue,
        )
      }),
    )
  })
}
