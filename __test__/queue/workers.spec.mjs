// What a worker does when its handlers, its thread or its process misbehave.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker as Thread } from 'node:worker_threads'

import { CinnabarError, JobQueue, RedisService } from 'cinnabar'

import { assertTyped, deferred, rawClient, refuses, runModule, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { block, expiring, withQueue } from '../support/queues.mjs'

for (const engine of engines) {
  describe(`a worker on ${engine.name}`, () => {
    const on = (run, options) => withQueue(engine, run, options)

    test(
      'that blocks the event loop for three leases has done its job once',
      on(
        async (queue) => {
          let runs = 0
          const handler = () => {
            runs++
            block(3200)
            return runs
          }
          // The second one takes whatever a lease that ran out gives back.
          for (const _ of [1, 2]) queue.process(handler)
          const job = await queue.add('block')
          assert.equal(await job.finished({ timeoutMs: 20_000 }), 1)
          await delay(100)
          const { state, crashes, attempt } = await queue.get(job.id)
          assert.deepEqual([runs, state, crashes, attempt], [1, 'done', 0, 1])
        },
        { leaseMs: 1000 },
      ),
    )

    test(
      'ends a job at its time though the event loop is blocked, and a late result changes nothing',
      on(async (queue) => {
        let reason
        queue.process((job, { signal }) => {
          block(900)
          reason = signal.reason
          return 'late'
        })
        const job = await queue.add('block', 1, { timeoutMs: 200, attempts: 1 })
        const error = await refuses(job.finished({ timeoutMs: 9000 }), 'E_JOB_FAILED', /timed out after 200 ms/)
        assert.equal(error.cause.name, 'CinnabarError')
        await delay(50)
        const { state, startedAt, finishedAt, result, error: kept } = await queue.get(job.id)
        assert.deepEqual([state, result, kept.code], ['dead', undefined, 'E_TIMEOUT'])
        assert.ok(finishedAt - startedAt < 700, `it took ${finishedAt - startedAt} ms`)
        assert.equal(reason, undefined, 'nothing could have notified it')
      }),
    )

    test(
      'frees the slot of a handler that never settles, and aborts its signal',
      on(async (queue) => {
        const gate = deferred()
        const seen = []
        queue.process(async (job, { signal }) => {
          if (job.name === 'next') return 'next'
          signal.addEventListener('abort', () => seen.push(signal.reason))
          return job.name === 'never' ? new Promise(() => {}) : gate.promise
        })
        const options = { timeoutMs: 100, attempts: 1 }
        const [never, late] = await queue.addMany([
          { name: 'never', ...options },
          { name: 'late', ...options },
        ])
        const next = await queue.add('next')
        assert.equal(await next.finished({ timeoutMs: 5000 }), 'next')
        for (const job of [never, late]) await refuses(job.finished({ timeoutMs: 5000 }), 'E_JOB_FAILED', /timed out/)
        seen.forEach((reason) => assertTyped(reason, 'E_TIMEOUT'))
        assert.equal(seen.length, 2)
        gate.resolve('late')
        await delay(50)
        const { state, result } = await queue.get(late.id)
        assert.deepEqual([state, result], ['dead', undefined])
      }),
    )

    test(
      'notifies a handler whose job was removed, and lets it finish',
      on(
        async (queue) => {
          const seen = []
          queue.process(async (job, { signal, progress, log }) => {
            if (job.name === 'next') return 'next'
            await new Promise((resolve) => signal.addEventListener('abort', resolve))
            seen.push(signal.reason)
            progress(1)
            log('dropped')
            throw new Error('nor this')
          })
          const job = await queue.add('remove me')
          await until('it runs', async () => (await queue.get(job.id)).state === 'active')
          await queue.remove(job.id)
          const next = await queue.add('next')
          assert.equal(await next.finished({ timeoutMs: 5000 }), 'next')
          assertTyped(seen[0], 'E_JOB_GONE')
          assert.equal(await queue.get(job.id), null)
        },
        { leaseMs: 1000 },
      ),
    )

    test(
      'whose lease ran out changes nothing any more',
      on(
        async (queue, service) => {
          const runs = []
          const handler = (job, { signal }) => {
            const run = { id: job.id, crashes: job.crashes, signal, ...deferred() }
            runs.push(run)
            return run.promise
          }
          queue.process(handler, { concurrency: 2 })
          const jobs = await queue.addMany(['a', 'b'].map((id) => ({ name: 'n', id, attempts: 1 })))
          await until('both run', () => runs.length === 2)
          const begun = async (id) => (await queue.get(id)).startedAt !== null
          await until('that is known', async () => (await begun('a')) && (await begun('b')))
          const expire = await expiring(await rawClient(service), queue, ['a', 'b'])
          // Another one takes over.
          queue.process(handler, { concurrency: 2 })
          await until('the other has one', async () => {
            if (runs.length === 2) await expire()
            return runs.length > 2
          })
          const [a, b] = runs
          // This one has not been notified yet: its token does that.
          a.resolve('late')
          await until('the other was notified', () => b.signal.aborted)
          assertTyped(b.signal.reason, 'E_JOB_GONE')
          b.resolve('late')
          await delay(20)
          for (const at of [2, 3]) {
            await until('one more runs', () => runs.length > at)
            const run = runs[at]
            assert.deepEqual([run.crashes, run.signal.aborted], [1, false])
            assert.equal((await queue.get(run.id)).state, 'active')
            run.resolve('in time')
          }
          for (const job of jobs) assert.equal(await job.finished({ timeoutMs: 5000 }), 'in time')
        },
        { leaseMs: 1000 },
      ),
    )

    const thrown = {
      'a string': ['oops', /^"oops" was thrown$/],
      'an empty string': ['', /^an empty string was thrown$/],
      undefined: [undefined, /^undefined was thrown$/],
      null: [null, /^null was thrown$/],
      'a number': [0, /^0 was thrown$/],
      'a BigInt': [10n, /^10 was thrown$/],
      'a symbol': [Symbol('s'), /^Symbol\(s\) was thrown$/],
      'a function': [() => {}, /^a function was thrown$/],
      'a frozen object': [Object.freeze({ a: 1 }), /^\{"a":1\} was thrown$/],
      'a frozen error': [Object.freeze(new Error('cold')), /^cold$/],
      'an error that is its own cause': [cyclic(), /^round$/],
      'an error with a huge message': [new Error('x'.repeat(1 << 20)), /^x{8192}…$/],
      'an error with an odd message': [Object.assign(new Error(), { message: 5 }), /was thrown$/],
      'a proxy that throws': [hostile(), /cannot be read|was thrown/],
      'an object without a prototype': [Object.create(null), /^\{\} was thrown$/],
      'a thenable': [{ then: 1 }, /was thrown/],
    }

    function cyclic() {
      const error = new Error('round')
      error.cause = error
      return error
    }

    function hostile() {
      return new Proxy(
        {},
        {
          get() {
            throw new Error('a trap')
          },
          getPrototypeOf() {
            throw new Error('a trap')
          },
        },
      )
    }

    test(
      'keeps what handlers throw, whatever it is',
      on(async (queue) => {
        queue.process(async ({ data }) => {
          throw thrown[data][0]
        })
        queue.process(({ data }) => {
          throw thrown[data][0]
        })
        for (const [what, [, message]] of Object.entries(thrown)) {
          for (const _ of [1, 2]) {
            const job = await queue.add('throw', what, { attempts: 1 })
            await refuses(job.finished({ timeoutMs: 5000 }), 'E_JOB_FAILED')
            const { error } = await queue.get(job.id)
            assert.match(error.message, message, what)
            assert.ok(JSON.stringify(error).length < 40_000)
          }
        }
      }),
    )

    const results = {
      'a BigInt': [() => 1n, /cannot be written as JSON: .*BigInt/],
      'a circle': [
        () => {
          const a = {}
          a.a = a
          return a
        },
        /cannot be written as JSON: .*circular/,
      ],
      'a function': [() => () => {}, /cannot be written as JSON: it is a function/],
      'a Map': [() => new Map([[1, 2]]), /cannot be written as JSON: a Map has no JSON/],
      'an Error': [() => ({ error: new Error('lost') }), /cannot be written as JSON: an Error has no JSON/],
      bytes: [() => new Uint8Array(2), /cannot be written as JSON: binary data has no JSON/],
      'a symbol': [() => Symbol('s'), /cannot be written as JSON: it is a symbol/],
      'too much': [() => 'x'.repeat(5000), /the result has 5002 bytes, more than the 4096 allowed/],
      'too much in bytes': [() => 'ü'.repeat(3000), /the result has 6002 bytes/],
      'what throws as JSON': [
        () => ({
          toJSON() {
            throw new Error('no')
          },
        }),
        /cannot be written as JSON: no/,
      ],
      'a thenable that throws': [
        () => ({
          get then() {
            throw new Error('then')
          },
        }),
        /^then$/,
      ],
      'a thenable that rejects': [() => ({ then: (_, reject) => reject(new Error('rejected')) }), /^rejected$/],
    }

    test(
      'fails attempts whose result cannot be kept',
      on(
        async (queue) => {
          queue.process(({ data }) => results[data][0]())
          for (const [what, [, message]] of Object.entries(results)) {
            const job = await queue.add('result', what, { attempts: 1 })
            await refuses(job.finished({ timeoutMs: 5000 }), 'E_JOB_FAILED')
            assert.match((await queue.get(job.id)).error.message, message, what)
          }
          // A thenable of any making is waited for.
          queue.process(() => ({ then: (resolve) => setTimeout(resolve, 1, 'then') }))
        },
        { maxBytes: 4096 },
      ),
    )

    test(
      'refuses reports that cannot be kept, without ending the job',
      on(async (queue) => {
        const seen = []
        const attempt = (work) => {
          try {
            work()
          } catch (error) {
            assertTyped(error, 'E_INVALID_ARGUMENT')
            seen.push(error.message)
          }
        }
        queue.process((job, { progress, log }) => {
          const circle = {}
          circle.self = circle
          for (const value of [undefined, 1n, circle, () => {}, Symbol('s'), 'x'.repeat(70_000), new Map()]) {
            attempt(() => progress(value))
          }
          for (const line of [undefined, 5, {}]) attempt(() => log(line))
          log('x'.repeat(10_000))
          return 'fine'
        })
        const job = await queue.add('n')
        assert.equal(await job.finished({ timeoutMs: 5000 }), 'fine')
        assert.equal(seen.length, 10)
      }),
    )

    test(
      'gives back what it took ahead when a long job comes',
      on(async (queue) => {
        const [gate, seen] = [deferred(), []]
        const handler = (name) => (job) => {
          seen.push([name, job.data])
          return job.data === 500 ? gate.promise : undefined
        }
        await queue.addMany(Array.from({ length: 1000 }, (_, data) => ({ name: 'n', data })))
        const first = queue.process(handler('first'))
        await until('the long one runs', () => seen.some(([, data]) => data === 500))
        queue.process(handler('second'))
        await until('the others are done', () => seen.length === 1000, 3)
        gate.resolve()
        const order = seen.map(([, data]) => data)
        assert.deepEqual(
          order.toSorted((a, b) => a - b),
          Array.from({ length: 1000 }, (_, data) => data),
          'each once',
        )
        assert.deepEqual(await first.close(), { unfinished: [] })
      }),
    )

    test(
      'leaves everything else on its thread its turn',
      on(async (queue) => {
        // Jobs, not milliseconds: how long a turn takes is also a matter of who else uses the processor. Each worker has those of
        // 20 ms at hand.
        let done = 0
        let most = 0
        await queue.addMany(Array.from({ length: 10_000 }, () => ({ name: 'n' })))
        let before = 0
        const turn = () => {
          most = Math.max(most, done - before)
          before = done
          if (done < 10_000) setImmediate(turn)
        }
        setImmediate(turn)
        queue.process(() => void done++, { concurrency: 10 })
        queue.process(async () => void done++, { concurrency: 10 })
        await until('all are done', () => done === 10_000, 30)
        assert.ok(most > 0 && most < 5000, `${most} of 10,000 jobs in one turn of the event loop`)
      }),
    )

    test(
      'closes: gives back what is not begun, waits, and says what became of the rest',
      on(async (queue) => {
        const gates = new Map()
        const seen = []
        const worker = queue.process(
          (job, { signal }) => {
            gates.set(job.data, deferred())
            seen.push({ data: job.data, signal })
            return gates.get(job.data).promise
          },
          { concurrency: 2 },
        )
        const jobs = await queue.addMany([1, 2, 3].map((data) => ({ name: 'n', data })))
        await until('two run', () => worker.running === 2)
        const closing = worker.close({ timeoutMs: 2000 })
        gates.get(1).resolve('in time')
        assert.deepEqual(await closing, { unfinished: [jobs[1].id] })
        assert.equal(worker.running, 0)
        assertTyped(seen[1].signal.reason, 'E_CLOSED')
        assert.equal(seen[0].signal.aborted, false)
        gates.get(2).resolve('late')
        await delay(20)
        const states = await Promise.all(jobs.map(({ id }) => queue.get(id)))
        assert.deepEqual(
          states.map(({ state, crashes, result }) => [state, crashes, result]),
          [
            ['done', 0, 'in time'],
            ['ready', 0, undefined],
            ['ready', 0, undefined],
          ],
        )
        assert.deepEqual(await worker.close(), { unfinished: [jobs[1].id] }, 'twice is once')
        await refuses(worker.close({ timeoutMs: -1 }), 'E_INVALID_ARGUMENT')
        await refuses(worker.close({ timeout: 1 }), 'E_INVALID_ARGUMENT', /timeoutMs/)
        // Another one takes its attempt from the beginning: it was not counted.
        queue.process((job) => job.attempt)
        assert.equal(await jobs[1].finished({ timeoutMs: 5000 }), 1)
      }),
    )

    test(
      'is drained when its service is disconnected',
      on(async (queue, service) => {
        const gate = deferred()
        const other = engine.beside(service)
        const mine = new JobQueue(queue.name, { service: other })
        mine.process(() => gate.promise, { concurrency: 2 })
        const job = await mine.add('n')
        await until('it runs', async () => (await queue.get(job.id)).state === 'active')
        const waiting = refuses(job.finished(), 'E_CLOSED')
        await delay(20)
        const leaving = other.disconnect({ drainMs: 2000 })
        await delay(20)
        gate.resolve('drained')
        await leaving
        await waiting
        assert.throws(
          () => mine.process(() => {}),
          (error) => (assertTyped(error, 'E_CLOSED'), true),
        )
        assert.throws(
          () => mine.on('added', () => {}),
          (error) => (assertTyped(error, 'E_CLOSED'), true),
        )
        const { state, result } = await queue.get(job.id)
        assert.deepEqual({ state, result }, { state: 'done', result: 'drained' })
      }),
    )

    test(
      'gives up at the end of the drain what still runs',
      on(async (queue, service) => {
        // Holds the store open.
        await service.connect()
        const other = engine.beside(service)
        const mine = new JobQueue(queue.name, { service: other })
        const signals = []
        const worker = mine.process((job, { signal }) => {
          signals.push(signal)
          return new Promise(() => {})
        })
        const job = await mine.add('n')
        await until('it runs', () => signals.length === 1)
        const started = performance.now()
        await other.disconnect({ drainMs: 100 })
        assert.ok(performance.now() - started < 1000)
        assertTyped(signals[0].reason, 'E_CLOSED')
        assert.deepEqual(await worker.close(), { unfinished: [job.id] })
        assert.equal((await queue.get(job.id)).state, 'ready')
      }),
    )

    test('keeps its process alive until it is closed, and no longer', async () => {
      const source = `
        import { JobQueue, RedisService } from 'cinnabar'
        const service = new RedisService(process.env.REDIS_URL === 'memory:' ? { url: 'memory:' } : {})
        const queue = new JobQueue('alive', { service })
        queue.once('completed', () => {
          console.log('completed')
          // Longer than an idle process would live; what keeps it alive is tested, so the timer must not.
          setTimeout(() => worker.close().then((result) => console.log(JSON.stringify(result))), 200).unref()
        })
        const worker = queue.process(async (job) => {
          // By then it listens.
          await new Promise((resolve) => setTimeout(resolve, 1000))
          console.log(job.data)
        })
        queue.add('n', 'done')`
      const { status, out, err, ms } = await runModule(source, { env: engine.env() })
      assert.equal(status, 0, err)
      assert.deepEqual(out.trim().split('\n').sort(), ['completed', 'done', '{"unfinished":[]}'])
      assert.ok(ms < 10_000)
    })

    test('is drained by shutdownOnSignal', async () => {
      const source = `
        import { JobQueue, shutdownOnSignal } from 'cinnabar'
        shutdownOnSignal()
        const queue = new JobQueue('signal')
        queue.process(async (job, { signal }) => {
          console.log('runs')
          process.kill(process.pid, 'SIGTERM')
          await new Promise((resolve) => setTimeout(resolve, 200))
          console.log('ends', signal.aborted)
        })
        queue.add('n')`
      const { status, out, err, ms } = await runModule(source, { env: engine.env() })
      assert.equal(status, 'SIGTERM', err)
      assert.deepEqual(out.trim().split('\n'), ['runs', 'ends false'])
      assert.ok(ms < 5000, `it took ${ms} ms`)
    })

    test('on a thread that ends leaves its job to its lease', async () => {
      const url = engine.kind === 'redis' ? engine.server.url : `memory:${randomUUID()}`
      const service = new RedisService({ url })
      const queue = new JobQueue(`thread-${randomUUID()}`, { service, leaseMs: 500 })
      const source = `
        const { JobQueue, RedisService } = require(${JSON.stringify(new URL('../../index.js', import.meta.url).pathname)})
        const { parentPort, workerData } = require('node:worker_threads')
        const service = new RedisService({ url: workerData.url })
        const queue = new JobQueue(workerData.name, { service, leaseMs: 500 })
        queue.process(() => { parentPort.postMessage('runs'); for (;;); })`
      const thread = new Thread(source, { eval: true, workerData: { url, name: queue.name } })
      const runs = new Promise((resolve) => thread.once('message', resolve))
      const job = await queue.add('n')
      await runs
      await delay(700)
      assert.equal((await queue.get(job.id)).crashes, 0, 'its lease is renewed though it is blocked')
      await thread.terminate()
      queue.process(({ crashes }) => crashes)
      assert.equal(await job.finished({ timeoutMs: 5000 }), 1)
      await service.disconnect()
    })

    test(
      'refuses invalid arguments',
      on(async (queue, service) => {
        const bad = [
          [() => queue.process(), /handler must be a function/],
          [() => queue.process('x'), /handler must be a function/],
          [() => queue.process(() => {}, { concurency: 1 }), /did you mean "concurrency"/],
          [() => queue.process(() => {}, { concurrency: 0 }), /concurrency must be a whole number from 1 to 10000/],
          [() => queue.process(() => {}, { concurrency: 1.5 }), /concurrency/],
          [() => queue.process(() => {}, { concurrency: '1' }), /concurrency must be a number/],
          [() => queue.process(() => {}, { limits: { rate: { max: 1 } } }), /limits\.rate\.perMs/],
          [() => queue.process(() => {}, { limits: { rate: { max: 0, perMs: 1 } } }), /limits\.rate\.max/],
          [() => queue.process(() => {}, { limits: { group: { rates: 1 } } }), /limits\.group\.rate/],
          [() => queue.process(() => {}, { limits: 5 }), /limits must be an object/],
          [() => queue.on('done', () => {}), /its events: added/],
          [() => queue.on('added'), /listener must be a function/],
          [() => new JobQueue('', { service }), /name must not be empty/],
          [() => new JobQueue(undefined, { service }), /the name of a queue must be a string/],
          [() => new JobQueue('n', { service: {} }), /RedisService/],
          [() => new JobQueue('n', { service, lease: 5 }), /did you mean "leaseMs"/],
          [() => new JobQueue('n', { service, leaseMs: 50 }), /leaseMs must be a whole number from 100/],
          [() => new JobQueue('n', { service, maxBytes: 0 }), /maxBytes/],
          [() => new JobQueue('n', { service, maxCrashes: 0 }), /maxCrashes/],
          [() => new JobQueue('n', { service, keep: { done: true } }), /keep\.done must be false or an object/],
          [() => new JobQueue('n', { service, keep: { done: { counts: 1 } } }), /keep\.done\.count/],
          [() => new JobQueue('n', { service, keep: { dead: { ageSeconds: -1 } } }), /keep\.dead\.ageSeconds/],
          [() => new JobQueue('n', { service, defaults: { id: 'x' } }), /unknown option "defaults\.id"/],
          [() => new JobQueue('n', { service, prefix: 'a{b' }), /prefix/, 'E_INVALID_SETTINGS'],
          [() => service.queue('n', { service }), /unknown option "service"/],
        ]
        for (const [work, message, code = 'E_INVALID_ARGUMENT'] of bad) {
          assert.throws(work, (error) => (assertTyped(error, code, message), true), `${work}`)
        }
        const circle = {}
        circle.self = circle
        const rejected = [
          [() => queue.add(''), /name must have from 1 to 512 bytes/],
          [() => queue.add(5), /name must be a string/],
          [() => queue.add('x'.repeat(600)), /name/],
          [() => queue.add('n', 1n), /BigInt/],
          [() => queue.add('n', circle), /circular/],
          [() => queue.add('n', () => {}), /data must be JSON-serializable, not a function/],
          [() => queue.add('n', 'x'.repeat(2 << 20)), /bytes/],
          [() => queue.add('n', 1, { delay: -1 }), /delay/],
          [() => queue.add('n', 1, { delayMs: 1 }), /did you mean "delay"/],
          [() => queue.add('n', 1, { attempts: 0 }), /attempts/],
          [() => queue.add('n', 1, { attempts: NaN }), /attempts/],
          [() => queue.add('n', 1, { backoff: -1 }), /backoff/],
          [
            () => queue.add('n', 1, { backoff: 'x' }),
            /backoff must be a number of milliseconds or an object, not a string/,
          ],
          [() => queue.add('n', 1, { backoff: { type: 'linear' } }), /backoff\.type must be 'fixed' or 'exponential'/],
          [() => queue.add('n', 1, { backoff: { jitter: 2 } }), /backoff\.jitter/],
          [() => queue.add('n', 1, { backoff: { delay: 2 } }), /did you mean "backoff\.delayMs"/],
          [() => queue.add('n', 1, { priority: 501 }), /priority must be a whole number from -500 to 500/],
          [() => queue.add('n', 1, { priority: 0.5 }), /priority/],
          [() => queue.add('n', 1, { id: '' }), /id must not be empty/],
          [() => queue.add('n', 1, { id: 'x'.repeat(600) }), /id/],
          [() => queue.add('n', 1, { id: 'a\u0000' }), /NUL/],
          [() => queue.add('n', 1, { id: '\ud800' }), /surrogate/],
          [() => queue.add('n', 1, { dedup: {} }), /dedup\.id/],
          [() => queue.add('n', 1, { dedup: { id: 'x', ttlMs: 0 } }), /dedup\.ttlMs/],
          [() => queue.add('n', 1, { timeoutMs: 0 }), /timeoutMs/],
          [() => queue.add('n', 1, { keep: 1 }), /keep must be true or false/],
          [() => queue.add('n', 1, { group: '' }), /group/],
          [() => queue.addMany({}), /jobs must be an array/],
          [() => queue.addMany([{ name: 'n' }, undefined]), /jobs\[1\] must be an object/],
          [() => queue.addMany([{ name: 'n' }, { data: 1 }]), /name must be a string/],
          [() => queue.addMany([{ name: 'n', priorty: 1 }]), /jobs\[0\]\.priority/],
          [() => queue.addMany(Array(3)), /jobs\[0\] must be an object/],
          [() => queue.get(), /id must be a string/],
          [() => queue.list('ready', { offset: -1 }), /offset/],
          [() => queue.list('ready', { limits: 1 }), /limit/],
          [() => queue.redrive({ limit: -1 }), /limit/],
          [() => queue.drain({ delayed: 1 }), /delayed must be true or false/],
          [() => queue.clean('done', { olderThanMs: -1 }), /olderThanMs/],
          [() => queue.close({ timeoutMs: 'x' }), /timeoutMs/],
          [
            () =>
              queue.add('n', 1, {
                get delay() {
                  throw new Error('no')
                },
              }),
            /reading the option delay threw/,
          ],
        ]
        for (const [work, message] of rejected) await refuses(work(), 'E_INVALID_ARGUMENT', message)
        assert.deepEqual((await queue.counts()).ready, 0, 'nothing was added by any of them')
        assert.ok(CinnabarError)
      }),
    )
  })
}
