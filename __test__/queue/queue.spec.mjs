import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { JobQueue, RedisService, UnrecoverableError } from 'cinnabar'

import { assertTyped, deferred, refuses, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { withQueue } from '../support/queues.mjs'

for (const engine of engines) {
  describe(`a queue on ${engine.name}`, () => {
    const on = (run, options) => withQueue(engine, run, options)

    test(
      'runs a job with its data and returns its result',
      on(async (queue) => {
        const values = [{ a: [] }, 'text', '', 0, null, false, [1, { b: null }], 'ü\u{1f980}\u0000', 9007199254740991]
        const seen = []
        queue.process((job) => {
          seen.push([job.name, job.data, job.attempt, job.attempts, job.state, job.priority, job.group, job.crashes])
          return job.data
        })
        for (const value of values) {
          const job = await queue.add('echo', value)
          assert.ok(job.isNew && job.name === 'echo')
          assert.deepEqual(await job.finished({ timeoutMs: 5000 }), value)
        }
        assert.deepEqual(
          seen,
          values.map((value) => ['echo', value, 1, 3, 'active', 0, null, 0]),
        )
      }),
    )

    test(
      'takes a job without data, and a handler without result',
      on(async (queue) => {
        queue.process((job) => assert.equal(job.data, undefined))
        const job = await queue.add('nothing')
        assert.equal(await job.finished({ timeoutMs: 5000 }), undefined)
        assert.equal((await queue.get(job.id)).result, undefined)
      }),
    )

    test(
      'shows a job as it is',
      on(async (queue) => {
        const before = Date.now()
        const options = { id: 'a', priority: -5, group: 'g', attempts: 7, timeoutMs: 1234, delay: 60_000 }
        await queue.add('look', { x: 1 }, options)
        const job = await queue.get('a')
        assert.deepEqual(
          { ...job },
          {
            id: 'a',
            name: 'look',
            data: { x: 1 },
            state: 'delayed',
            attempt: 0,
            attempts: 7,
            crashes: 0,
            priority: -5,
            group: 'g',
            timeoutMs: 1234,
            progress: undefined,
            result: undefined,
            error: null,
            createdAt: job.createdAt,
            dueAt: job.createdAt + 60_000,
            startedAt: null,
            finishedAt: null,
          },
        )
        assert.ok(Math.abs(job.createdAt - before) < 60_000)
        assert.equal(await queue.get('none'), null)
      }),
    )

    test(
      'returns the job that exists already',
      on(async (queue) => {
        const first = await queue.add('a', 1, { id: 'same' })
        const second = await queue.add('b', 2, { id: 'same' })
        assert.deepEqual([first.isNew, second.isNew, second.id], [true, false, 'same'])
        assert.deepEqual((await queue.get('same')).data, 1)
        const dedup = [await queue.add('c', 3, { dedup: 'key' }), await queue.add('d', 4, { dedup: { id: 'key' } })]
        assert.deepEqual(
          dedup.map(({ isNew }) => isNew),
          [true, false],
        )
        assert.equal(dedup[0].id, dedup[1].id)
        const ids = (await Promise.all([queue.add('e'), queue.add('e')])).map(({ id }) => id)
        assert.notEqual(ids[0], ids[1])
      }),
    )

    test(
      'adds many, each with options of its own, and counts them',
      on(async (queue) => {
        const jobs = Array.from({ length: 1500 }, (_, index) => ({ name: 'n', data: index }))
        jobs[7] = { ...jobs[7], delay: 60_000 }
        jobs[8] = { ...jobs[8], id: 'eight' }
        const added = await queue.addMany(jobs)
        assert.equal(added.length, jobs.length)
        assert.ok(added.every(({ isNew, data }, index) => isNew && data === index))
        assert.equal(added[8].id, 'eight')
        const expected = { ready: 1499, delayed: 1, active: 0, done: 0, dead: 0, paused: false }
        assert.deepEqual(await queue.counts(), expected)
        const listed = await queue.list('ready', { offset: 1, limit: 3 })
        assert.deepEqual(
          listed.map(({ data }) => data),
          [1, 2, 3],
        )
        assert.equal((await queue.list('ready')).length, 100)
        const seen = []
        let [turned, stood] = [performance.now(), 0]
        const turns = setInterval(() => {
          stood = Math.max(stood, performance.now() - turned)
          turned = performance.now()
        }, 10)
        queue.process((job) => seen.push(job.data), { concurrency: 1 })
        await until('all are done', async () => (await queue.counts()).ready === 0 && seen.length >= 1499, 20)
        clearInterval(turns)
        const wanted = jobs.map(({ data }) => data).filter((data) => data !== 7)
        assert.deepEqual(new Set(seen), new Set(wanted))
        assert.equal(seen.length, wanted.length, 'each once')
        // A worker whose thread stands still for 100 ms gives prefetched jobs back, behind those that are being sent to it.
        if (stood < 100) assert.deepEqual(seen, wanted, 'in their order')
      }),
    )

    test(
      'takes lower priorities first',
      on(async (queue) => {
        for (const priority of [0, 5, -5, 500, -500, 0]) await queue.add('p', priority, { priority })
        const seen = []
        queue.process((job) => seen.push(job.data))
        await until('all are done', () => seen.length === 6)
        assert.deepEqual(seen, [-500, -5, 0, 0, 5, 500])
      }),
    )

    test(
      'tries again after what its backoff says, and gives up after its attempts',
      on(async (queue) => {
        const seen = []
        queue.process((job) => {
          seen.push([job.id, job.attempt, performance.now()])
          throw new TypeError(`no ${job.attempt}`)
        })
        const job = await queue.add('fails', 1, { id: 'f', attempts: 3, backoff: 50 })
        const error = await refuses(job.finished({ timeoutMs: 9000 }), 'E_JOB_FAILED', /job "f" failed: no 3/)
        assert.equal(error.cause.name, 'TypeError')
        assert.match(error.cause.stack, /queue\.spec/)
        assert.deepEqual(
          seen.map(([, attempt]) => attempt),
          [1, 2, 3],
        )
        for (const index of [1, 2]) assert.ok(seen[index][2] - seen[index - 1][2] >= 45, `${seen}`)
        const dead = await queue.get('f')
        assert.deepEqual([dead.state, dead.attempt, dead.error.message], ['dead', 3, 'no 3'])
        assert.ok(dead.error.stack.length > 0 && dead.finishedAt >= dead.createdAt)
        await refuses(dead.finished(), 'E_JOB_FAILED')
        assert.equal(await queue.retry('f'), true)
        await until('it is dead again', async () => seen.length === 6 && (await queue.get('f')).state === 'dead')
        assert.equal(await queue.redrive(), 1)
        await until('it is tried again', () => seen.length === 9)
      }),
    )

    test(
      'makes no other attempt where none would help',
      on(async (queue) => {
        let attempts = 0
        class Own extends UnrecoverableError {}
        queue.process((job) => {
          attempts++
          throw job.data === 'own' ? new Own('never') : new UnrecoverableError('never', { cause: 1 })
        })
        for (const data of ['', 'own']) {
          const job = await queue.add('fails', data)
          await refuses(job.finished({ timeoutMs: 5000 }), 'E_JOB_FAILED', /never/)
        }
        assert.equal(attempts, 2)
        assert.ok(new Own() instanceof UnrecoverableError && !(new Error() instanceof UnrecoverableError))
        assert.ok(!(new UnrecoverableError() instanceof Own))
      }),
    )

    test(
      'keeps progress and log while a job runs',
      on(async (queue) => {
        const gate = deferred()
        queue.process(async (job, { progress, log }) => {
          progress({ done: 1 })
          progress({ done: 2 })
          log('first')
          log('second')
          await gate.promise
        })
        const job = await queue.add('long')
        await until('it is seen', async () => (await queue.get(job.id)).progress?.done === 2)
        await until('the log is there', async () => (await queue.logs(job.id)).length === 2)
        assert.deepEqual(await queue.logs(job.id), ['first', 'second'])
        assert.deepEqual(await queue.logs(job.id, { offset: 1 }), ['second'])
        const active = await queue.get(job.id)
        assert.deepEqual([active.state, active.attempt], ['active', 1])
        assert.ok(active.startedAt >= active.createdAt)
        gate.resolve()
        await job.finished({ timeoutMs: 5000 })
      }),
    )

    test(
      'pauses for all and goes on',
      on(async (queue) => {
        const seen = []
        queue.process((job) => seen.push(job.data))
        await queue.pause()
        assert.equal((await queue.counts()).paused, true)
        await queue.add('a', 1)
        await delay(100)
        assert.deepEqual(seen, [])
        await queue.resume()
        await until('it goes on', () => seen.length === 1)
      }),
    )

    test(
      'a worker pauses by itself',
      on(async (queue) => {
        const seen = []
        const worker = queue.process((job) => seen.push(job.data))
        worker.pause()
        assert.ok(worker.isPaused)
        await queue.add('a', 1)
        await delay(100)
        assert.deepEqual([seen, (await queue.counts()).ready], [[], 1])
        worker.resume()
        await until('it goes on', () => seen.length === 1)
      }),
    )

    test(
      'removes, drains and cleans',
      on(async (queue) => {
        await queue.addMany(['a', 'b', 'c', 'd'].map((id) => ({ name: 'n', id })))
        await queue.add('later', 1, { id: 'e', delay: 60_000 })
        assert.deepEqual([await queue.remove('a'), await queue.remove('a')], [true, false])
        assert.equal(await queue.clean('ready', { limit: 1 }), 1)
        assert.equal(await queue.drain(), 2)
        assert.equal((await queue.counts()).delayed, 1)
        assert.equal(await queue.drain({ delayed: true }), 1)
        await refuses(queue.clean('active'), 'E_INVALID_ARGUMENT')
        await refuses(queue.clean('old'), 'E_INVALID_ARGUMENT', /'ready', 'delayed', 'active', 'done' or 'dead'/)
        await refuses(queue.list('old'), 'E_INVALID_ARGUMENT')
      }),
    )

    test(
      'runs as many at once as it may, and sync and async handlers alike',
      on(async (queue) => {
        let [now, most, done] = [0, 0, 0]
        queue.process(
          async (job) => {
            most = Math.max(most, ++now)
            if (job.data % 2) await delay(5)
            now--
            done++
          },
          { concurrency: 7 },
        )
        await queue.addMany(Array.from({ length: 200 }, (_, data) => ({ name: 'n', data })))
        await until('all are done', () => done === 200)
        assert.ok(most <= 7 && most > 1, `${most} at once`)
      }),
    )

    test(
      'keeps to its limits over all workers',
      on(async (queue) => {
        const running = new Map([['all', 0]])
        const most = new Map()
        const count = (key, by) => {
          running.set(key, (running.get(key) ?? 0) + by)
          most.set(key, Math.max(most.get(key) ?? 0, running.get(key)))
        }
        let done = 0
        const handler = async (job) => {
          count('all', 1)
          count(job.group, 1)
          await delay(2)
          count('all', -1)
          count(job.group, -1)
          done++
        }
        const limits = { concurrency: 5, group: { concurrency: 2 } }
        for (let worker = 0; worker < 3; worker++) queue.process(handler, { concurrency: 4, limits })
        await queue.addMany(Array.from({ length: 90 }, (_, data) => ({ name: 'n', data, group: `g${data % 3}` })))
        await until('all are done', () => done === 90, 20)
        assert.ok(most.get('all') <= 5 && most.get('g0') <= 2 && most.get('g1') <= 2, `${[...most]}`)
      }),
    )

    test(
      'runs handlers in the context of process(), none in that of another job',
      on(async (queue) => {
        const storage = new AsyncLocalStorage()
        const seen = []
        storage.run('process', () => {
          queue.process(async (job) => {
            seen.push(storage.getStore())
            storage.enterWith(`job ${job.data}`)
            await null
            seen.push(storage.getStore())
          })
        })
        for (const data of [1, 2, 3]) {
          const job = await storage.run('add', () => queue.add('n', data))
          await job.finished({ timeoutMs: 5000 })
        }
        assert.deepEqual(seen, ['process', 'job 1', 'process', 'job 2', 'process', 'job 3'])
      }),
    )

    test(
      'is reached through its service, and bound to a time and a signal',
      on(async (queue, service) => {
        const other = service.queue(queue.name)
        assert.ok(other instanceof JobQueue && other.name === queue.name)
        await other.add('n', 1, { id: 'x' })
        assert.equal((await queue.get('x')).data, 1)
        const controller = new AbortController()
        const bound = queue.with({ signal: controller.signal, timeoutMs: 5000 })
        assert.equal((await bound.get('x')).data, 1)
        const job = await bound.get('x')
        const waiting = refuses(job.finished(), 'E_ABORTED')
        controller.abort(new Error('enough'))
        const error = await waiting
        assert.equal(error.cause.message, 'enough')
        await refuses(bound.add('n'), 'E_ABORTED')
        assert.throws(
          () => bound.process(() => {}),
          (thrown) => (assertTyped(thrown, 'E_ABORTED'), true),
        )
        await refuses((await queue.get('x')).finished({ timeoutMs: 30 }), 'E_TIMEOUT', /within 30 ms/)
      }),
    )

    test('is on the default service where none is given', () => {
      assert.ok(new JobQueue('default') instanceof JobQueue)
      class Mine extends JobQueue {}
      assert.ok(
        new Mine('mine', { service: new RedisService({ url: 'memory:' }) }).with({ timeoutMs: 5 }) instanceof Mine,
      )
    })

    test(
      'has the result of a large job for callers that ask for it just after its end',
      on(
        async (queue) => {
          // Each is larger than all that is to be kept.
          const result = 'r'.repeat(3000)
          queue.process(() => result, { concurrency: 4 })
          const jobs = await queue.addMany([1, 2, 3].map(() => ({ name: 'n' })))
          await until('all have ended', async () => (await queue.counts()).active + (await queue.counts()).ready === 0)
          assert.deepEqual(await Promise.all(jobs.map((job) => job.finished())), [result, result, result])
          // Not without bound, and not for long.
          await queue.addMany(Array.from({ length: 60 }, () => ({ name: 'n' })))
          await until('all have ended', async () => (await queue.counts()).active + (await queue.counts()).ready === 0)
          assert.ok((await queue.counts()).done <= 11, `${(await queue.counts()).done} kept`)
          await until('no more than may be is kept', async () => (await queue.counts()).done === 0)
        },
        { keep: { done: { bytes: 2000 } } },
      ),
    )

    test(
      'waits for a job that is removed or not kept no longer than it must',
      on(async (queue, service) => {
        await queue.pause()
        const removed = await queue.add('n')
        const waiting = refuses(removed.finished(), 'E_JOB_GONE')
        assert.equal(await queue.remove(removed.id), true)
        await waiting
        await refuses(removed.finished(), 'E_JOB_GONE')
        await queue.resume()
        queue.process((job) => job.data)
        const unkept = await queue.add('n', 'result', { keep: false })
        await until('it is gone', async () => (await queue.get(unkept.id)) === null)
        // The caller that has just added it gets its result, even if it was faster.
        assert.equal(await unkept.finished({ timeoutMs: 5000 }), 'result')
        await engine.advance?.(service, 3000)
        const ended = () => unkept.finished().catch((error) => error.code)
        await until('its outcome is gone too', async () => (await ended()) === 'E_JOB_GONE')
      }),
    )
  })
}
