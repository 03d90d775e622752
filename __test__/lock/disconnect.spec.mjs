// `disconnect()` beside locks that are being acquired, are held, or have been lost: it leaves none in the store.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { rawClient, refuses, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const ticks = async (count) => {
  for (let i = 0; i < count; i++) await null
}

for (const engine of engines) {
  describe(`disconnect beside locks on ${engine.name}`, () => {
    /** Runs it with a client, and with a service that it may disconnect, for each of several moments. */
    const atMoments = (count, run) => async () => {
      const service = await engine.makeService()
      const client = await rawClient(service)
      for (let moment = 0; moment < count; moment++) {
        const other = engine.beside(service, { log: false })
        await other.connect()
        await run({ client, moment, other, locks: service.locks })
        await other.disconnect()
        assert.equal(await client.exists('lock:r'), 0, `moment ${moment}`)
      }
      await service.disconnect()
    }

    test(
      'a lock that is being acquired is held until it is released',
      atMoments(6, async ({ moment, other }) => {
        const acquiring = other.locks.acquire('r')
        await ticks(moment)
        const disconnecting = other.disconnect()
        const lock = await acquiring
        assert.equal(lock.held, true)
        assert.equal(lock.signal.aborted, false)
        assert.equal(await lock.release(), 'released')
        await disconnecting
      }),
    )

    test(
      'an operation that is about to begin runs under its lock',
      atMoments(6, async ({ moment, other }) => {
        const running = other.locks.withLock('r', (_, { held }) => held)
        await ticks(moment)
        const disconnecting = other.disconnect()
        assert.equal(await running, true)
        await disconnecting
      }),
    )

    for (const method of ['acquire', 'acquireLock']) {
      test(
        `what ${method} may have acquired is released after its abort`,
        atMoments(6, async ({ moment, other }) => {
          const controller = new AbortController()
          const refused = refuses(other.locks.with({ signal: controller.signal })[method]('r'), 'E_ABORTED')
          await ticks(1 + moment)
          controller.abort()
          await Promise.all([refused, other.disconnect()])
        }),
      )
    }

    test('acquireLock that is not aborted delays nothing', async () => {
      const service = await engine.makeService()
      const locks = service.locks.with({ signal: new AbortController().signal })
      const token = await locks.acquireLock('r')
      assert.equal(await locks.acquireLock('r'), null)
      await refuses(locks.acquireLock('r', -1), 'E_INVALID_ARGUMENT')
      assert.equal(await service.locks.releaseLock('r', token), true)
      const began = performance.now()
      await service.disconnect({ drainMs: 20_000 })
      assert.ok(performance.now() - began < 10_000)
    })

    test(
      'a wait that ends with the lock or with E_CLOSED leaves none',
      atMoments(40, async ({ moment, other, locks, client }) => {
        const lock = await locks.acquire('r')
        const waiting = other.locks.acquire('r', { wait: {} }).then(
          (next) => next.release(),
          (error) => error.code,
        )
        await until('it is waited for', () => client.exists('lock:{lock:r}:waiting'))
        const releasing = lock.release()
        // Each moment of the grant gets its chance: the message that wakes the waiter comes some time after the release was sent.
        if (moment % 4 === 0) await sleep(moment / 10)
        else await ticks(moment / 4)
        await other.disconnect()
        assert.ok(['E_CLOSED', 'released'].includes(await waiting))
        assert.equal(await releasing, 'released')
      }),
    )

    test('a lost lock delays nothing', async () => {
      const service = await engine.makeService({ log: false })
      const lock = await service.locks.acquire('r', { ttlSeconds: 0.1, maxHoldSeconds: 0.1 })
      await until('it is lost', () => lock.signal.aborted)
      const began = performance.now()
      await service.disconnect({ drainMs: 20_000 })
      assert.ok(performance.now() - began < 10_000)
    })

    test('a lock is lost once disconnect has ended', async () => {
      const service = await engine.makeService()
      for (let i = 0; i < 30; i++) {
        const other = engine.beside(service, { log: false })
        const lock = await other.locks.acquire(`r${i}`, { ttlSeconds: 1 })
        await other.disconnect({ drainMs: 0 })
        assert.equal(lock.held, false)
        assert.equal(lock.signal.reason.code, 'E_LOCK_LOST')
      }
      await service.disconnect()
    })
  })
}
