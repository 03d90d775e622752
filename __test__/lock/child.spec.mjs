// Several handles of one lock, and an event loop that has to run.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { rawClient, refuses, runJson, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

/** Keeps this thread busy. */
function block(ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** Waits until the remaining time of a lock has grown. */
async function renewed(client, key) {
  let left = Infinity
  await until('it is renewed', async () => {
    const before = left
    left = await client.pTTL(key)
    return left > before
  })
}

for (const engine of engines) {
  describe(`children of a lock on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const service = await engine.makeService({ log: false })
      try {
        await run(service.locks, await rawClient(service))
      } finally {
        await service.disconnect()
      }
    }

    test(
      'a lock is released once it and all children are',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r')
        const [first, second] = [lock.child(), lock.child()]
        const grandchild = first.child()
        for (const child of [first, second, grandchild]) {
          assert.deepEqual(
            [child.resource, child.mode, child.token, child.fence, child.held],
            ['r', 'write', lock.token, lock.fence, true],
          )
          assert.equal(child.signal, lock.signal)
        }
        assert.equal(await first.release(), 'released')
        assert.equal(first.held, false)
        assert.equal(await first.extend(5), false)
        assert.equal(await first.release(), 'released')
        assert.equal(await second.extend(60), true)
        let outcome
        const releasing = lock.release().then((result) => (outcome = result))
        assert.throws(() => lock.child(), { code: 'E_LOCK_LOST' })
        await second.release()
        for (let n = 0; n < 20; n++) await turn()
        assert.equal(outcome, undefined)
        assert.equal(await client.get('lock:r'), lock.token)
        assert.equal(grandchild.held, true)
        await grandchild.release()
        assert.equal(await releasing, 'released')
        assert.equal(await client.exists('lock:r'), 0)
      }),
    )

    test(
      'withLock waits for the children of its lock',
      withService(async (locks, client) => {
        let child
        const running = locks.withLock('r', (_, lock) => {
          child = lock.child()
          return 42
        })
        await until('it runs', () => child !== undefined)
        await refuses(locks.acquire('r'), 'E_LOCK_HELD')
        assert.equal(await child.release(), 'released')
        assert.equal(await running, 42)
        assert.equal(await client.exists('lock:r'), 0)
      }),
    )

    test(
      'withLock rejects if the lock is lost while it waits for a child',
      withService(async (locks) => {
        let child
        const run = (_, lock) => {
          child = lock.child()
          return 'done'
        }
        const running = locks.withLock('r', run, 2, { maxHoldSeconds: 2 })
        await until('it runs', () => child !== undefined)
        // A tenth of its ttl before its end: the store still has it.
        await until('it is lost', () => !child.held)
        assert.equal(await child.release(), 'already-lost')
        const error = await refuses(running, 'E_LOCK_LOST')
        assert.equal(error.result, 'done')
      }),
    )

    test(
      'a released child has no children',
      withService(async (locks) => {
        const lock = await locks.acquire('r')
        const child = lock.child()
        await child.release()
        assert.throws(() => child.child(), { code: 'E_LOCK_LOST' })
        assert.equal(await lock.release(), 'released')
      }),
    )

    test(
      'a child of a lost lock is lost',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r', { ttlSeconds: 1 })
        const child = lock.child()
        await client.del('lock:r')
        await until('it is lost', () => !child.held)
        assert.equal(child.signal.aborted, true)
        assert.throws(() => child.child(), { code: 'E_LOCK_LOST' })
        assert.equal(await child.release(), 'already-lost')
        assert.equal(await lock.release(), 'already-lost')
      }),
    )

    test(
      'a short heartbeat holds a lock',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r', { heartbeatSeconds: 0.001, ttlSeconds: 1 })
        await renewed(client, 'lock:r')
        assert.equal(lock.held, true)
        assert.equal(await lock.release(), 'released')
      }),
    )

    test(
      'heartbeatSeconds is a number of seconds',
      withService(async (locks, client) => {
        for (const heartbeatSeconds of [0, -1, NaN, Infinity, '1', null, {}]) {
          await refuses(locks.acquire('r', { heartbeatSeconds }), 'E_INVALID_ARGUMENT', /heartbeatSeconds/)
          await refuses(
            locks.withLock('r', () => {}, 30, { heartbeatSeconds }),
            'E_INVALID_ARGUMENT',
            /heartbeatSeconds/,
          )
        }
        assert.equal(await client.exists('lock:r'), 0)
      }),
    )
  })
}

// The native side decides this, whatever the engine.
test('a blocked event loop has its lock no longer renewed, and one that runs again has', async () => {
  const service = await engines[0].makeService({ log: false })
  const [client, { locks }] = [await rawClient(service), service]
  const options = { ttlSeconds: 2, heartbeatSeconds: 0.7 }
  const running = await locks.acquire('runs', options)
  await renewed(client, 'lock:runs')
  await renewed(client, 'lock:runs')
  assert.equal(running.held, true)
  const careless = await locks.acquire('careless', { ttlSeconds: 2 })
  const missing = await locks.acquire('missing', options)
  block(3500)
  assert.equal(careless.held, true, 'it is renewed whatever JavaScript does')
  assert.equal(missing.held, false)
  assert.equal(missing.signal.aborted, true)
  assert.equal(await missing.release(), 'already-lost')
  await Promise.all([careless.release(), running.release()])
  const next = await locks.acquire('missing', { ttlSeconds: 4, heartbeatSeconds: 0.7 })
  // Longer than the heartbeat and the time to the first renewal, and shorter than the ttl.
  block(1500)
  assert.equal(next.held, true)
  await renewed(client, 'lock:missing')
  assert.equal(next.held, true)
  assert.equal(await next.release(), 'released')
  await service.disconnect()
})

test('a heartbeat ends with its lock, however that is released', async () => {
  const { isCollected } = await runJson(
    `const { DistributedLock, redisService } = await import('cinnabar')
     const released = async (release) => {
       const lock = await DistributedLock.acquire('r', { heartbeatSeconds: 0.05 })
       await release(lock)
       return new WeakRef(lock)
     }
     const locks = [await released((lock) => lock.release())]
     locks.push(await released((lock) => DistributedLock.releaseLock('r', lock.token)))
     let isCollected = false
     for (let n = 0; n < 100 && !isCollected; n++) {
       await new Promise((resolve) => setTimeout(resolve, 20))
       gc()
       isCollected = locks.every((lock) => lock.deref() === undefined)
     }
     console.log(JSON.stringify({ isCollected }))
     await redisService.disconnect()`,
    { env: { ...engines[0].env(), NODE_OPTIONS: '--expose-gc' } },
  )
  assert.equal(isCollected, true)
})
