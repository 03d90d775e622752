// A lock as a handle: it is renewed by the native side, says when it is lost, and has a fencing token.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { spawn } from 'node:child_process'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import { assertTyped, rawClient, refuses, root, runJson, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const [, redis] = engines

/** Resolves once a signal has aborted, perhaps at once. */
const aborted = async (signal) => signal.aborted || once(signal, 'abort')

/** Keeps this thread busy. */
function block(ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
}

for (const engine of engines) {
  describe(`a lock's handle on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const events = []
      const service = await engine.makeService({ log: (event) => events.push(event) })
      try {
        await run(service.locks, await rawClient(service), { service, events })
      } finally {
        await service.disconnect()
      }
    }

    test(
      'holds the lock under its token until it is released',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r')
        assert.equal(lock.resource, 'r')
        assert.equal(await client.get('lock:r'), lock.token)
        const ttl = await client.ttl('lock:r')
        assert.ok(ttl > 25 && ttl <= 30, `${ttl} s`)
        assert.equal(lock.held, true)
        assert.equal(lock.signal.aborted, false)
        const error = await refuses(locks.acquire('r'), 'E_LOCK_HELD', /^Could not acquire lock for resource: r$/)
        assert.equal(error.retryable, true)
        assert.equal(await locks.acquireLock('r'), null)
        assert.equal(await lock.release(), 'released')
        assert.equal(lock.held, false)
        assert.equal(lock.signal.aborted, false, 'it was given back')
        assert.equal(await client.exists('lock:r'), 0)
        assert.equal(await lock.release(), 'released', 'it says the same again')
        assert.equal(await lock.extend(5), false)
      }),
    )

    test(
      'is disposed of at the end of a block',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r')
        await lock[Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]()
        assert.equal(await client.exists('lock:r'), 0)
      }),
    )

    test(
      'its fencing token grows over release, expiry, and the loss of what is stored',
      withService(async (locks, client) => {
        const fences = []
        const take = async (ttlSeconds = 30) => {
          const lock = await locks.acquire('r', { ttlSeconds })
          fences.push(lock.fence)
          return lock
        }
        for (let i = 0; i < 20; i++) await (await take()).release()
        await client.del('lock:r')
        await (await take()).release()
        // The store's clock seems to have gone back.
        const ahead = fences.at(-1) + 3_600_000_000
        await client.set('lock:{lock:r}:fence', String(ahead))
        await (await take()).release()
        assert.equal(fences.pop(), ahead + 1)
        assert.ok((await client.ttl('lock:{lock:r}:fence')) > 6 * 86_400)
        const last = await take()
        assert.equal(fences.pop(), ahead + 2)
        await client.del('lock:r', 'lock:{lock:r}:fence')
        await (await take()).release()
        await last.release()
        for (let i = 1; i < fences.length; i++) assert.ok(fences[i] > fences[i - 1], `${fences}`)
        assert.ok(fences.every((fence) => Number.isSafeInteger(fence)))
      }),
    )

    test(
      'is renewed while the event loop is blocked for three lives',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r', { ttlSeconds: 2 })
        block(6000)
        assert.equal(lock.held, true)
        assert.equal(lock.signal.aborted, false)
        assert.equal(await locks.acquireLock('r'), null)
        assert.equal(await client.get('lock:r'), lock.token)
        assert.equal(await lock.release(), 'released')
      }),
    )

    test(
      'is held for maxHoldSeconds at most, and its signal aborts before that',
      withService(async (locks, client, { events }) => {
        const lock = await locks.acquire('r', { ttlSeconds: 4, maxHoldSeconds: 6 })
        // Locks are renewed in real time: for longer than without a renewal.
        await sleep(4200)
        assert.equal(lock.held, true)
        await aborted(lock.signal)
        assert.equal(await client.get('lock:r'), lock.token, 'before its life ends')
        assertTyped(lock.signal.reason, 'E_LOCK_LOST', /: r$/)
        assert.equal(lock.held, false)
        await until('it is free', async () => (await client.exists('lock:r')) === 0)
        assert.equal(await lock.release(), 'already-lost')
        assert.deepEqual(
          events.map(({ type }) => type),
          ['lock-lost'],
        )
      }),
    )

    test(
      'hears of another holder at its next renewal, and touches nothing of that one',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r', { ttlSeconds: 2 })
        const { signal } = lock
        await client.set('lock:r', 'another', { EX: 30 })
        await aborted(signal)
        assert.equal(await lock.extend(100), false)
        assert.equal(await lock.release(), 'already-lost')
        assert.equal(await client.get('lock:r'), 'another')
        assert.ok((await client.ttl('lock:r')) <= 30)
      }),
    )

    test(
      'a lock that is gone is not created again',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r', { ttlSeconds: 2 })
        const { signal } = lock
        await client.del('lock:r')
        await aborted(signal)
        assert.equal(await client.exists('lock:r'), 0)
        const next = await locks.acquire('r')
        assert.ok(next.fence > lock.fence)
        assert.equal(await lock.release(), 'already-lost')
        assert.equal(await next.release(), 'released')
      }),
    )

    test(
      'an extension sets its life, also by its token',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r', { ttlSeconds: 2, maxHoldSeconds: 2 })
        assert.equal(await lock.extend(60), true)
        assert.ok((await client.ttl('lock:r')) > 55)
        assert.equal(await locks.extendLock('r', lock.token, 20), true)
        assert.ok((await client.ttl('lock:r')) <= 20)
        // Locks are renewed in real time: for longer than the first ttl.
        await sleep(2200)
        assert.equal(lock.held, true)
        assert.equal(await locks.releaseLock('r', lock.token), true)
        assert.equal(lock.held, false)
        assert.equal(await lock.release(), 'released')
        await refuses(lock.extend(0), 'E_INVALID_ARGUMENT')
      }),
    )

    test(
      'nothing is renewed after the release',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r', { ttlSeconds: 0.3 })
        await lock.release()
        await client.set('lock:r', lock.token, { PX: 400 })
        // Locks are renewed in real time: one that is released would be by now.
        await sleep(500)
        assert.equal(await client.exists('lock:r'), 0)
      }),
    )

    test(
      'nothing is renewed once the service is disconnected',
      withService(async (locks, client, { service }) => {
        const other = engine.beside(service)
        const lock = await other.locks.acquire('r', { ttlSeconds: 0.5 })
        await other.disconnect({ drainMs: 1200 })
        assertTyped(lock.signal.reason, 'E_LOCK_LOST')
        assert.equal(lock.held, false)
        assert.ok(['already-lost', 'unknown'].includes(await lock.release()))
        await until('it is free', async () => (await client.exists('lock:r')) === 0, 2)
      }),
    )

    test(
      'an operation may go on while its service is drained',
      withService(async (locks, client, { service }) => {
        const other = engine.beside(service)
        let ended
        const result = await other.locks.withLock(
          'r',
          async (_, lock) => {
            ended = other.disconnect()
            // Locks are renewed in real time: for longer than the ttl.
            await sleep(2500)
            assert.equal(lock.held, true)
            return 'done'
          },
          2,
        )
        assert.equal(result, 'done')
        await ended
        assert.equal(await client.exists('lock:r'), 0)
      }),
    )

    test(
      'withLock renews while its operation runs, and passes the handle',
      withService(async (locks, client) => {
        const result = await locks.withLock(
          'r',
          async (token, lock) => {
            assert.equal(lock.token, token)
            assert.ok(lock.fence > 0)
            // Locks are renewed in real time: for longer than the ttl.
            await sleep(2500)
            assert.equal(await client.get('lock:r'), token)
            assert.equal(lock.held, true)
            return 'done'
          },
          2,
        )
        assert.equal(result, 'done')
        assert.equal(await client.exists('lock:r'), 0)
      }),
    )

    test(
      'withLock skips what another is doing, if asked to',
      withService(async (locks) => {
        const lock = await locks.acquire('r')
        const skipped = await locks.withLock('r', () => assert.fail('ran'), 30, { skipIfHeld: true })
        assert.equal(skipped, undefined)
        await lock.release()
        assert.equal(await locks.withLock('r', () => 'ran', 30, { skipIfHeld: true }), 'ran')
      }),
    )

    test(
      "an operation's own error is the one that is seen, also of a lost lock",
      withService(async (locks, client) => {
        const failure = new Error('the operation failed')
        const running = locks.withLock('r', async () => {
          await client.del('lock:r')
          throw failure
        })
        await assert.rejects(running, (error) => error === failure)
      }),
    )

    test(
      'invalid arguments are refused',
      withService(async (locks, client) => {
        for (const options of [
          { ttlSeconds: 0 },
          { ttlSeconds: '30' },
          { maxHoldSeconds: 0 },
          { maxHoldSeconds: NaN },
          { ttl: 3 },
          3,
        ]) {
          await refuses(locks.acquire('r', options), 'E_INVALID_ARGUMENT')
        }
        await refuses(locks.acquire(''), 'E_INVALID_ARGUMENT')
        for (const options of [{ skipIfHeld: 1 }, { maxHoldSeconds: -1 }, { maxHold: 1 }]) {
          await refuses(
            locks.withLock('r', () => assert.fail('ran'), 30, options),
            'E_INVALID_ARGUMENT',
          )
        }
        assert.equal(await client.dbSize(), 0)
      }),
    )
  })
}

/** A process that holds the lock `r` for a life of one second, and writes what its code sees once it has been asked to. */
function startHolder() {
  const source = `
    import { redisService, DistributedLock } from 'cinnabar'
    const lock = await DistributedLock.acquire('r', { ttlSeconds: 1 })
    const { signal } = lock
    const seen = () => ({ held: lock.held, aborted: signal.aborted, code: signal.reason?.code })
    // Before the line, after which it may be stopped at once.
    let last = Date.now()
    console.log(JSON.stringify({ fence: lock.fence }))
    while (true) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      const now = Date.now()
      if (now - last > 2000) break
      last = now
    }
    console.log(JSON.stringify(seen()))
    console.log(JSON.stringify(await lock.release()))
    await redisService.disconnect()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
    cwd: root,
    env: { ...process.env, REDIS_URL: redis.server.url },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const all = (rest + text).split('\n')
    rest = all.pop()
    lines.push(...all.map((line) => JSON.parse(line)))
  })
  return { child, lines }
}

describe('locks of processes and threads that stop', () => {
  test('a process that was stopped for three lives finds its lock lost before it runs on', async () => {
    const service = await redis.makeService()
    const { child, lines } = startHolder()
    await until('it holds the lock', () => lines.length === 1)
    child.kill('SIGSTOP')
    // Nothing but time ends the lock of a stopped process.
    await sleep(1100)
    const lock = await service.locks.acquire('r', { wait: {} })
    assert.ok(lock.fence > lines[0].fence)
    // Until it has been stopped for three ttls.
    await sleep(1900)
    child.kill('SIGCONT')
    await once(child, 'close')
    assert.deepEqual(lines.slice(1), [{ held: false, aborted: true, code: 'E_LOCK_LOST' }, 'already-lost'])
    assert.equal(lock.held, true)
    assert.equal(await lock.release(), 'released')
    await service.disconnect()
  })

  test('the lock of a process that was killed is free within its life', async () => {
    const service = await redis.makeService()
    const { child, lines } = startHolder()
    await until('it holds the lock', () => lines.length === 1)
    child.kill('SIGKILL')
    await once(child, 'close')
    assert.ok((await (await rawClient(service)).pTTL('lock:r')) <= 1000)
    await until('it is free', async () => (await service.locks.acquireLock('r')) !== null)
    await service.disconnect()
  })

  test('the lock of a worker thread that ended is renewed no more', async () => {
    const service = await redis.makeService()
    const source = `
      const { parentPort } = require('node:worker_threads')
      const { DistributedLock } = require('cinnabar')
      DistributedLock.acquire('r', { ttlSeconds: 2 }).then(() => parentPort.postMessage('held'))`
    const file = { eval: true, env: { ...process.env, REDIS_URL: redis.server.url } }
    const worker = new Worker(source, file)
    assert.deepEqual(await once(worker, 'message'), ['held'])
    // Locks are renewed in real time: for longer than the ttl.
    await sleep(2500)
    assert.equal(await service.locks.acquireLock('r'), null)
    await worker.terminate()
    await until('it is free', async () => (await service.locks.acquireLock('r')) !== null)
    await service.disconnect()
  })

  test('a server that does not respond loses the lock before its life ends', async () => {
    const service = await redis.makeService({ log: false })
    const lock = await service.locks.acquire('r', { ttlSeconds: 6 })
    const { signal } = lock
    const began = performance.now()
    redis.server.pause()
    await aborted(signal)
    const took = performance.now() - began
    assert.ok(took < 6000, `${took} ms`)
    assert.equal(lock.held, false)
    const releasing = lock.release()
    redis.server.resume()
    assert.ok(['released', 'already-lost', 'unknown'].includes(await releasing))
    await service.disconnect()
  })

  test('a lock keeps its process alive until it is released', async () => {
    const service = await redis.makeService()
    const source = `
      import { redisService, DistributedLock } from 'cinnabar'
      const lock = await DistributedLock.acquire('r', { ttlSeconds: 2 })
      setTimeout(async () => { console.log(JSON.stringify(await lock.release())) }, 2500).unref()`
    assert.equal(await runJson(source, { env: redis.env() }), 'released')
    await service.disconnect()
  })
})
