// Waiting for a lock in turn: in the order in which callers asked, those of other processes too.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { rawClient, refuses, runJson, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const [, redis] = engines
const WAITING = 'lock:{lock:r}:waiting'
const QUEUE = 'lock:{lock:r}:queue'
const wait = { fair: true }

async function turns(count) {
  for (let n = 0; n < count; n++) await turn()
}

for (const engine of engines) {
  describe(`waiting in turn on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const service = await engine.makeService()
      try {
        await run(service.locks, await rawClient(service), service)
      } finally {
        await service.disconnect()
      }
    }
    const areQueued = (client, count) => until('they are queued', async () => (await client.zCard(QUEUE)) === count)

    test(
      'is in the order in which callers asked, whatever service they used',
      withService(async (locks, client, service) => {
        // Each has connections of its own.
        const others = [2, 3, 4].map((poolSize) => engine.beside(service, { poolSize, log: false }))
        const all = [service, ...others]
        const lock = await locks.acquire('r', { wait })
        const [order, waiting] = [[], []]
        for (let n = 0; n < 24; n++) {
          const turn = all[n % 4].locks.acquire('r', { wait })
          waiting.push(turn.then((next) => (order.push(n), next.release())))
          await areQueued(client, n + 1)
        }
        assert.equal((await locks.info('r')).waiting, 24)
        await lock.release()
        await Promise.all(waiting)
        assert.deepEqual(order, [...Array(24).keys()])
        assert.equal(await client.exists([WAITING, QUEUE, 'lock:r']), 0)
        await Promise.all(others.map((other) => other.disconnect()))
      }),
    )

    test(
      'is in the order of the calls within a process',
      withService(async (locks) => {
        const lock = await locks.acquire('r')
        const order = []
        const run = (n) => locks.withLock('r', () => order.push(n), 30, { wait })
        const waiting = Array.from({ length: 50 }, (_, n) => run(n))
        await lock.release()
        await Promise.all(waiting)
        assert.deepEqual(order, [...Array(50).keys()])
      }),
    )

    test(
      'is over for a caller that leaves, whatever has reached it by then',
      withService(async (locks, client) => {
        for (let i = 0; i < 40; i++) {
          const lock = await locks.acquire('r', { wait })
          const controller = new AbortController()
          const leaving = locks.acquire('r', { wait: { fair: true, signal: controller.signal } }).then(
            (next) => next.release(),
            (error) => assert.equal(error.code, 'E_ABORTED'),
          )
          await areQueued(client, 1)
          const began = performance.now()
          const next = locks.acquire('r', { wait })
          await areQueued(client, 2)
          // One before the other by another number of turns in each round.
          const releasing = turns(i % 3).then(() => lock.release())
          await turns(i % 4)
          controller.abort()
          await Promise.all([leaving, releasing])
          await (await next).release()
          assert.ok(performance.now() - began < 2000, 'the next one is woken')
        }
        await until('nothing is left', async () => (await client.exists([WAITING, QUEUE, 'lock:r'])) === 0)
      }),
    )

    test(
      'comes when the lock expires, and when the one before has died',
      withService(async (locks, client) => {
        await client.set('lock:r', 'of a process that has died', { PX: 300 })
        await (await locks.acquire('r', { wait })).release()
        await client.zAdd(QUEUE, { score: 0, value: 'dead' })
        await client.zAdd(WAITING, { score: Date.now() + 600, value: 'dead' })
        const began = performance.now()
        const lock = await locks.acquire('r', { wait })
        assert.ok(performance.now() - began < 2000)
        await lock.release()
        assert.equal(await client.exists([WAITING, QUEUE]), 0)
      }),
    )

    test(
      'leaves nothing when its service is disconnected, at whatever moment',
      withService(async (locks, client, service) => {
        const lock = await locks.acquire('r')
        for (let ticks = 0; ticks < 12; ticks++) {
          const other = engine.beside(service, { poolSize: 2, log: false })
          await other.connect()
          const ended = refuses(other.locks.acquire('r', { wait }), 'E_CLOSED')
          for (let tick = 0; tick < Math.min(ticks, 6); tick++) await null
          await turns(ticks - 6)
          await other.disconnect()
          await ended
          assert.equal(await client.exists([WAITING, QUEUE]), 0, `after ${ticks} ticks`)
        }
        await lock.release()
      }),
    )

    test(
      'ends with E_LOCK_HELD after its time, also for one that was never first, and leaves nothing',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r')
        const first = locks.acquire('r', { wait: { fair: true, timeoutMs: 600 } })
        const heldFirst = refuses(first, 'E_LOCK_HELD')
        await areQueued(client, 1)
        await refuses(locks.acquire('r', { wait: { fair: true, timeoutMs: 50 } }), 'E_LOCK_HELD')
        const skipped = locks.withLock('r', () => 1, 30, { skipIfHeld: true, wait: { fair: true, timeoutMs: 50 } })
        assert.equal(await skipped, undefined)
        await heldFirst
        await until('no entry is left', async () => (await client.exists([WAITING, QUEUE])) === 0)
        assert.equal(await lock.release(), 'released')
      }),
    )

    test(
      'is beside callers that do not wait for their turn',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r')
        const order = []
        const run = (name, wait) => locks.withLock('r', () => order.push(name), 30, { wait })
        const waiting = [run('any', {})]
        await until('it is waited for', () => client.exists(WAITING))
        for (let n = 0; n < 8; n++) {
          waiting.push(run(n, wait))
          await areQueued(client, n + 1)
        }
        assert.ok((await client.pTTL(WAITING)) > 20_000, 'the entry of the first one lasts as long as before')
        await lock.release()
        await Promise.all(waiting)
        assert.deepEqual(
          order.filter((name) => name !== 'any'),
          [...Array(8).keys()],
        )
        assert.equal(order.length, 9)
      }),
    )

    test(
      'is an option that is true or false',
      withService(async (locks) => {
        for (const fair of [1, 'true', null, {}]) {
          await assert.rejects(locks.acquire('r', { wait: { fair } }), {
            code: 'E_INVALID_ARGUMENT',
            message: /^wait\.fair must be true or false, got /,
          })
        }
      }),
    )
  })
}

describe('waiting in turn in several processes', () => {
  test('no wake-up is lost', async () => {
    const service = await redis.makeService()
    const source = `
      import { redisService, DistributedLock } from 'cinnabar'
      let overlaps = 0
      const run = async () => {
        for (let i = 0; i < 25; i++) {
          const lock = await DistributedLock.acquire('r', { wait: { fair: true } })
          if ((await redisService.set('inside', lock.token, { NX: true, EX: 30 })) !== 'OK') overlaps++
          await redisService.set('value', Number(await redisService.get('value')) + 1)
          await redisService.del('inside')
          await lock.release()
        }
      }
      const began = performance.now()
      await Promise.all(Array.from({ length: 8 }, run))
      console.log(JSON.stringify({ overlaps, took: performance.now() - began }))
      await redisService.disconnect()`
    const outcomes = await Promise.all([1, 2, 3].map(() => runJson(source, { env: redis.env() })))
    assert.deepEqual(
      outcomes.map(({ overlaps }) => overlaps),
      [0, 0, 0],
    )
    assert.equal(await service.get('value'), '600')
    // Each lost one would be noticed after some seconds only.
    assert.ok(outcomes.every(({ took }) => took < 600 * 20))
    assert.equal(await service.exists(['lock:r', WAITING, QUEUE]), 0)
    await service.disconnect()
  })
})
