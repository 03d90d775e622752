import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { JobQueue } from 'cinnabar'

import { deferred, rawClient, refuses, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { block, withQueue } from '../support/queues.mjs'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000

for (const engine of engines) {
  describe(`repeats on ${engine.name}`, () => {
    const on = (run, options) => withQueue(engine, run, options)

    test(
      'adds one job a slot, whichever worker finds it due',
      on(async (queue, service) => {
        const seen = []
        const queues = [queue, new JobQueue(queue.name, { service }), new JobQueue(queue.name, { service })]
        for (const one of queues) {
          one.process((job) => seen.push(job), { concurrency: 2 })
          await one.repeat('r', { everyMs: 200 }, 'tick', { n: 1 }, { priority: -1, group: 'g', attempts: 2 })
        }
        await until('six slots have come', () => seen.length >= 6)
        assert.equal(await queue.unrepeat('r'), true)
        await until('what has come is done', async () => {
          const { ready, active } = await queue.counts()
          return ready + active === 0
        })
        // Several workers may begin in another order.
        const slots = seen.map((job) => Number(/^r:(\d+)$/.exec(job.id)[1])).sort((a, b) => a - b)
        assert.deepEqual(
          slots,
          slots.map((_, index) => slots[0] + index * 200),
        )
        assert.equal(slots[0] % 200, 0)
        for (const { name, data, priority, group, attempts } of seen) {
          assert.deepEqual(
            { name, data, priority, group, attempts },
            { name: 'tick', data: { n: 1 }, priority: -1, group: 'g', attempts: 2 },
          )
        }
        const before = seen.length
        await delay(500)
        assert.equal(seen.length, before)
        assert.equal(await queue.unrepeat('r'), false)
      }),
    )

    test(
      'shows what repeats, and forgets it',
      on(async (queue) => {
        const startAt = new Date(Date.now() + DAY_MS)
        const { id, nextAt } = await queue.repeat('b', { everyMs: 60_000, startAt, limit: 3 }, 'tick')
        assert.deepEqual([id, nextAt], ['b', startAt.getTime()])
        const endAt = Date.UTC(2200, 0, 1)
        const schedule = {
          cron: ' 30  2 * * MON-FRI ',
          timeZone: 'europe/berlin',
          startAt: Date.UTC(2100, 0, 1),
          endAt,
        }
        await queue.repeat('a', schedule, 'report', [{ x: 'ü' }], { timeoutMs: 5000 })
        assert.deepEqual(await queue.repeats(), [
          {
            id: 'b',
            everyMs: 60_000,
            cron: null,
            timeZone: null,
            startAt: startAt.getTime(),
            endAt: null,
            limit: 3,
            fired: 0,
            nextAt,
            name: 'tick',
            data: undefined,
            attempts: 3,
            priority: 0,
            group: null,
            timeoutMs: 1_800_000,
          },
          {
            id: 'a',
            everyMs: null,
            cron: '30 2 * * MON-FRI',
            timeZone: 'Europe/Berlin',
            startAt: Date.UTC(2100, 0, 1),
            endAt,
            limit: null,
            fired: 0,
            nextAt: Date.UTC(2100, 0, 1, 1, 30),
            name: 'report',
            data: [{ x: 'ü' }],
            attempts: 3,
            priority: 0,
            group: null,
            timeoutMs: 5000,
          },
        ])
        assert.deepEqual(
          (await queue.repeats({ offset: 1, limit: 5 })).map(({ id }) => id),
          ['a'],
        )
        assert.deepEqual(
          [await queue.unrepeat('a'), await queue.unrepeat('b'), await queue.repeats()],
          [true, true, []],
        )
      }),
    )

    test(
      'said again at every start, it neither skips nor doubles a slot',
      on(async (queue) => {
        const { nextAt } = await queue.repeat('r', { everyMs: 300 }, 'tick', 1)
        await delay(350)
        // Its slot has come, no worker was there, and the next program adds it again.
        assert.deepEqual(await queue.repeat('r', { everyMs: 300 }, 'tick', 2), { id: 'r', nextAt })
        const seen = []
        queue.process((job) => seen.push([job.id, job.data]))
        await until('two slots have fired', () => seen.length >= 2)
        assert.deepEqual(seen.slice(0, 2), [
          [`r:${nextAt}`, 2],
          [`r:${nextAt + 300}`, 2],
        ])
        // Another schedule is another matter.
        const daily = await queue.repeat('r', { cron: '@daily' }, 'tick')
        assert.equal(daily.nextAt % DAY_MS, 0)
      }),
    )

    test(
      'ends by its limit, and does not begin anew when it is said again',
      on(async (queue) => {
        const seen = []
        queue.process((job) => seen.push(job.id))
        await queue.repeat('r', { everyMs: 100, limit: 2 }, 'tick')
        await until('both have fired', () => seen.length === 2)
        assert.deepEqual(await queue.repeat('r', { everyMs: 100, limit: 2 }, 'tick'), { id: 'r', nextAt: null })
        await delay(300)
        const [{ fired, nextAt }] = await queue.repeats()
        assert.deepEqual([fired, nextAt, seen.length], [2, null, 2])
        const ended = await queue.repeat('e', { everyMs: 100, endAt: Date.now() - 1000 }, 'tick')
        assert.equal(ended.nextAt, null)
      }),
    )

    test(
      'fires nothing while no worker runs, and then the last slot that was missed for long',
      on(async (queue, service) => {
        const { nextAt } = await queue.repeat('r', { everyMs: HOUR_MS }, 'tick')
        const client = await rawClient(service)
        if (engine.advance) await engine.advance(service, 10 * HOUR_MS)
        // A server's clock cannot be moved: the slot is set back to when it was missed.
        else await client.zAdd(`queue:{queue:${queue.name}}:repeats`, [{ score: nextAt - 10 * HOUR_MS, value: 'r' }])
        assert.equal((await queue.counts()).ready, 0)
        const seen = []
        queue.process((job) => seen.push(Number(job.id.slice(2))))
        await until('one fires', () => seen.length > 0)
        const [seconds] = await client.sendCommand(['TIME'])
        await delay(300)
        assert.equal(seen.length, 1)
        assert.ok(seen[0] <= seconds * 1000 && seen[0] > seconds * 1000 - HOUR_MS - 1000, `${seen[0]} at ${seconds}`)
        const [{ fired, nextAt: next }] = await queue.repeats()
        assert.deepEqual([fired, next], [1, seen[0] + HOUR_MS])
      }),
    )

    test(
      'goes on while nothing more may run, and while the event loop is blocked',
      on(async (queue) => {
        const held = deferred()
        const seen = []
        const begun = deferred()
        queue.process(async (job) => {
          seen.push(job.id)
          begun.resolve()
          if (seen.length === 1) await held.promise
        })
        await queue.repeat('r', { everyMs: 250 }, 'tick')
        await begun.promise
        await until('others wait', async () => (await queue.counts()).ready >= 3)
        block(1500)
        await until('others wait behind them', async () => (await queue.counts()).ready >= 9)
        held.resolve()
        await until('all are done', async () => seen.length >= 10)
        await queue.unrepeat('r')
        const slots = seen.map((id) => Number(id.slice(2)))
        assert.deepEqual(
          slots,
          slots.map((_, index) => slots[0] + index * 250),
        )
      }),
    )

    test(
      'refuses invalid arguments',
      on(async (queue) => {
        const wrong = [
          [undefined, /either everyMs or cron/],
          [{}, /either everyMs or cron/],
          [null, /must be an object/],
          ['* * * * *', /must be an object/],
          [{ everyMs: 1000, cron: '@daily' }, /either everyMs or cron/],
          [{ everyMs: 1000, timeZone: 'UTC' }, /timeZone goes with cron/],
          [{ every: 1000 }, /unknown option "every"/],
          ...[99, 0, -1, 0.5, NaN, Infinity, 2 ** 53, '1000', 1000n, {}].map((everyMs) => [
            { everyMs },
            /everyMs must be/,
          ]),
          ...[
            '',
            'x',
            '* * * *',
            '60 * * * *',
            '@reboot',
            ', * * * *',
            '0 0 30 2 *',
            '0 0 29 2 +1#1',
            '1,'.repeat(2000),
          ].map((cron) => [{ cron }, /^cron /]),
          [{ cron: 5 }, /cron must be/],
          ...['', 'Mars/Olympus', 'Local', '../etc/localtime', 'x'.repeat(9999)].map((timeZone) => [
            { cron: '@daily', timeZone },
            /timeZone must be a name such as Europe\/Berlin/,
          ]),
          [{ cron: '@daily', timeZone: 1 }, /timeZone must be/],
          ...[NaN, -1, 1.5, 8.64e15, 'tomorrow', new Date(NaN)].map((startAt) => [
            { everyMs: 1000, startAt },
            /startAt must be/,
          ]),
          [{ everyMs: 1000, startAt: 2000, endAt: 1000 }, /endAt must not be before startAt/],
          ...[0, -1, 1.5, '2'].map((limit) => [{ everyMs: 1000, limit }, /limit must be/]),
          [
            {
              get cron() {
                throw new Error('no')
              },
            },
            /cron threw/,
          ],
        ]
        for (const [schedule, message] of wrong) {
          await refuses(queue.repeat('r', schedule, 'tick'), 'E_INVALID_ARGUMENT', message)
        }
        const every = { everyMs: 1000 }
        for (const id of [undefined, '', 5, 'a\0', 'x'.repeat(481)]) {
          await refuses(queue.repeat(id, every, 'tick'), 'E_INVALID_ARGUMENT')
          if (typeof id === 'string') assert.equal(await queue.unrepeat(id), false)
          else await refuses(queue.unrepeat(id), 'E_INVALID_ARGUMENT')
        }
        const circular = {}
        circular.self = circular
        await refuses(queue.repeat('r', every, 'tick', circular), 'E_INVALID_ARGUMENT')
        await refuses(
          queue.repeat('r', every, 'tick', 'x'.repeat(2 ** 21)),
          'E_INVALID_ARGUMENT',
          /data must have at most/,
        )
        await refuses(queue.repeat('r', every, undefined), 'E_INVALID_ARGUMENT')
        await refuses(queue.repeat('r', every, 'tick', 1, { id: 'own' }), 'E_INVALID_ARGUMENT', /leave out id/)
        await refuses(queue.repeat('r', every, 'tick', 1, { priority: 501 }), 'E_INVALID_ARGUMENT')
        await refuses(queue.repeats({ offset: -1 }), 'E_INVALID_ARGUMENT')
        await refuses(queue.repeats({ page: 1 }), 'E_INVALID_ARGUMENT')
        assert.deepEqual(await queue.repeats(), [])
      }),
    )

    test(
      'one that cannot be read is reported, delays no other one, and can be added again',
      on(async (queue, service) => {
        const client = await rawClient(service)
        await queue.repeat('broken', { everyMs: 100 }, 'tick')
        await client.hSet(`queue:{queue:${queue.name}}:repeat:broken`, 's', 'whenever')
        await queue.repeat('well', { everyMs: 100 }, 'tick')
        const [errors, seen] = [[], []]
        queue.on('error', (error) => errors.push(error.code))
        queue.process((job) => seen.push(job.id))
        await until('the other one goes on', () => seen.length >= 5)
        assert.deepEqual(new Set(errors), new Set(['E_INVALID_DATA']))
        assert.ok(seen.every((id) => id.startsWith('well:')))
        await refuses(queue.repeats(), 'E_INVALID_DATA')
        await queue.repeat('broken', { everyMs: 100 }, 'tick')
        await until('it fires', () => seen.some((id) => id.startsWith('broken:')))
      }),
    )
  })
}
