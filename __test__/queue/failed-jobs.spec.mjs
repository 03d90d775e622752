import assert from 'node:assert/strict'
import { describe, mock, test } from 'node:test'

import { refuses, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { withQueue } from '../support/queues.mjs'

/** Runs with everything kept that is said on `console.error`. */
async function listening(run) {
  const error = mock.method(console, 'error', () => {})
  try {
    return await run(() => error.mock.calls.map(({ arguments: [line] }) => line))
  } finally {
    error.mock.restore()
  }
}

const dead = (queue, count) => until(`${count} are dead`, async () => (await queue.counts()).dead === count)

for (const engine of engines) {
  describe(`a job that failed for good on ${engine.name}`, () => {
    const on = (run, options) => withQueue(engine, run, { defaults: { attempts: 1 }, ...options })

    test(
      'keeps the code of what was thrown, a number too',
      on(async (queue) => {
        queue.process(({ name, data }) => {
          if (name === 'slow') return new Promise(() => {})
          throw Object.assign(new TypeError('no'), { code: data })
        })
        for (const [name, data, code] of [
          ['throws', 'ECONNREFUSED', 'ECONNREFUSED'],
          ['throws', 17, 17],
          ['throws', -0.5, -0.5],
          ['throws', { a: 1 }, undefined],
          ['throws', 'x'.repeat(300), `${'x'.repeat(200)}…`],
          ['slow', null, 'E_TIMEOUT'],
        ]) {
          const job = await queue.add(name, data, { timeoutMs: name === 'slow' ? 50 : 30_000 })
          const { cause } = await refuses(job.finished({ timeoutMs: 10_000 }), 'E_JOB_FAILED')
          assert.equal(cause.code, code)
          assert.equal('code' in cause, code !== undefined)
          assert.equal((await queue.get(job.id)).error.code, code)
        }
      }),
    )

    test(
      'is one line in the log where nothing listens, and no more in the same minute',
      on(async (queue) =>
        listening(async (lines) => {
          queue.process(() => {
            throw new RangeError('first\nsecond')
          })
          await queue.addMany([1, 2, 3].map((n) => ({ name: 'mail', data: `secret ${n}` })))
          await dead(queue, 3)
          await until('it is said', () => lines().length > 0)
          assert.equal(lines().length, 1)
          const [line] = lines()
          assert.ok(line.includes(JSON.stringify(queue.name)) && line.includes('"mail"'), line)
          assert.match(line, /RangeError: first second/)
          assert.doesNotMatch(line, /secret|\n/)
        }),
      ),
    )

    test(
      'is said too when its time was over or its result was none',
      on(async (queue, service) =>
        listening(async (lines) => {
          queue.process(() => new Promise(() => {}))
          await queue.add('slow', null, { timeoutMs: 20 })
          await until('the first is said', () => lines().length === 1)
          assert.match(lines()[0], /"slow".*it exceeded its timeout/)
          const other = service.queue('results', { defaults: { attempts: 1 }, maxBytes: 100 })
          other.process(() => 'r'.repeat(200))
          await other.add('large')
          await until('the second is said', () => lines().length === 2)
          assert.match(lines()[1], /"results".*the result has 202 bytes/)
        }),
      ),
    )

    test(
      'is not logged where a listener or a caller waits, by whichever object of the queue',
      on(async (queue, service) =>
        listening(async (lines) => {
          queue.process(() => {
            throw new Error('no')
          })
          const other = service.queue(queue.name)
          for (const event of ['dead', 'failed']) {
            const heard = []
            let listens = false
            await queue.pause()
            other.on(event, ({ id }) => heard.push(id))
            other.once('added', () => (listens = true))
            // It listens to one after the other.
            await until('it listens', async () => {
              await queue.add('mail')
              return listens
            })
            const job = await queue.add('mail')
            await queue.resume()
            await until('it is heard', () => heard.includes(job.id))
            other.removeAllListeners()
          }
          await queue.pause()
          const job = await queue.add('mail')
          const failed = refuses(job.finished(), 'E_JOB_FAILED')
          const waited = `queue:{queue:${queue.name}}:waited`
          await until('it is waited for', async () => (await service.getClient().hLen(waited)) > 0)
          await queue.resume()
          await failed
          assert.deepEqual(lines(), [])
          await queue.add('mail', null, { attempts: 2, backoff: 0 })
          await until('the last is said, once', () => lines().length === 1)
        }),
      ),
    )
  })

  test(
    `a count of attempts that another program wrote keeps no job from ending on ${engine.name}`,
    withQueue(engine, async (queue, service) => {
      const [first] = await queue.addMany(Array.from({ length: 9 }, (_, data) => ({ name: 'n', data })))
      for (const odd of ['99999999999999999999', '-5', 'nan', '1e400', '1.5']) {
        const job = await queue.add('n', odd)
        await service.hSet(`queue:{queue:${queue.name}}:job:${job.id}`, 'a', odd)
      }
      queue.process(({ data }) => data, { concurrency: 20 })
      await until('all are done', async () => (await queue.counts()).done === 14)
      assert.equal((await queue.get(first.id)).attempt, 1)
      assert.equal((await queue.counts()).active, 0)
    }),
  )
}
