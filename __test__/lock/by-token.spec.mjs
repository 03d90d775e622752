// What `extendLock` and `releaseLock` with the token of a lock do to its handle.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate, setTimeout as sleep } from 'node:timers/promises'

import { refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const leases = globalThis[Symbol.for('cinnabar.leases')]

/** Keeps this thread busy. */
function block(ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
}

for (const engine of engines) {
  describe(`a lock by its token on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const events = []
      const service = await engine.makeService({ log: (event) => events.push(event.type) })
      try {
        await run(service.locks, events)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'an extension to what is not a ttl is refused, and changes nothing',
      withService(async (locks) => {
        const lock = await locks.acquire('r')
        for (const ttl of ['30', null, {}, 10n, Symbol('30'), NaN, -1]) {
          await refuses(locks.extendLock('r', lock.token, ttl), 'E_INVALID_ARGUMENT')
        }
        assert.equal(lock.held, true)
        assert.equal(await lock.release(), 'released')
      }),
    )

    test(
      'one of two extensions at once that is refused does not end the other',
      withService(async (locks) => {
        const lock = await locks.acquire('r', { ttlSeconds: 1, maxHoldSeconds: 1 })
        const extensions = [60, -1].map((ttl) => locks.extendLock('r', lock.token, ttl))
        const [{ value }, { reason }] = await Promise.allSettled(extensions)
        assert.equal(value, true)
        assert.equal(reason.code, 'E_INVALID_ARGUMENT')
        // Locks are lost in real time: this one would be by now.
        await sleep(1100)
        assert.equal(lock.held, true)
        assert.equal(await lock.release(), 'released')
      }),
    )

    test(
      'one that is given back is not lost, however late its caller hears of that',
      withService(async (locks, events) => {
        const running = locks.withLock(
          'r',
          async (token, lock) => {
            const releasing = locks.releaseLock('r', token)
            assert.equal(lock.held, false)
            // It is sent by then.
            await setImmediate()
            block(1200)
            return releasing
          },
          1,
        )
        assert.equal(await running, true)
        assert.deepEqual(events, [])
      }),
    )

    test(
      'one that is released in both ways at once is released',
      withService(async (locks, events) => {
        const lock = await locks.acquire('r')
        assert.deepEqual(await Promise.all([locks.releaseLock('r', lock.token), lock.release()]), [true, 'released'])
        const other = await locks.acquire('r')
        assert.deepEqual(await Promise.all([other.release(), locks.releaseLock('r', other.token)]), ['released', false])
        assert.deepEqual(events, [])
      }),
    )

    test(
      'nothing is kept of those that were released',
      withService(async (locks) => {
        const before = leases.size
        for (let i = 0; i < 10; i++) {
          const lock = await locks.acquire('r')
          assert.equal(await locks.releaseLock('r', lock.token), true)
        }
        assert.equal(leases.size, before)
      }),
    )
  })
}

test('an extension whose reply comes after the loss has not succeeded', async () => {
  const redis = engines.at(-1)
  const service = await redis.makeService({ log: false })
  const lock = await service.locks.acquire('r', { ttlSeconds: 2 })
  const { signal } = lock
  redis.server.pause()
  const extending = lock.extend(30)
  await new Promise((resolve) => signal.addEventListener('abort', resolve))
  redis.server.resume()
  assert.equal(await extending, false)
  await lock.release()
  await service.disconnect()
})
