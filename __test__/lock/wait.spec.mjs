// Waiting for a lock that another caller holds: woken by its release, without polling.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'

import { RedisService } from 'cinnabar'

import { rawClient, refuses, root, runJson, until } from '../helpers.mjs'
import { engines, startRedis } from '../support/engines.mjs'
import { startProxy } from '../../tests/faults/proxy.mjs'

const [, redis] = engines
const WAITING = 'lock:{lock:r}:waiting'

for (const engine of engines) {
  describe(`waiting for a lock on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const service = await engine.makeService()
      try {
        await run(service.locks, await rawClient(service), service)
      } finally {
        await service.disconnect()
      }
    }
    const isWaitedFor = (client) => until('it is waited for', () => client.exists(WAITING))

    test(
      'a release hands it over',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r')
        const waiting = locks.acquire('r', { wait: {} })
        await isWaitedFor(client)
        assert.equal(await lock.release(), 'released')
        const next = await waiting
        assert.ok(next.fence > lock.fence)
        assert.equal(await client.get('lock:r'), next.token)
        assert.equal(await client.exists(WAITING), 0)
        await next.release()
      }),
    )

    test(
      'info says who has it and who waits, in numbers',
      withService(async (locks, client) => {
        const free = { held: false, mode: null, holders: [], acquiredAt: null, ttlMs: 0, waiting: 0 }
        assert.deepEqual(await locks.info('r'), { ...free, fence: null })
        const lock = await locks.acquire('r')
        const waiting = locks.acquire('r', { wait: {} })
        await isWaitedFor(client)
        const { ttlMs, fence, waiting: count } = await locks.info('r')
        assert.ok(ttlMs > 25_000 && ttlMs <= 30_000)
        assert.deepEqual([fence, count], [lock.fence, 1])
        await lock.release()
        const next = await waiting
        await next.release()
        assert.deepEqual(await locks.info('r'), { ...free, fence: next.fence })
      }),
    )

    test(
      'releaseLock does too, and withLock waits',
      withService(async (locks, client) => {
        const token = await locks.acquireLock('r')
        const waiting = locks.withLock('r', () => 'ran', 30, { wait: { timeoutMs: 20_000 } })
        await isWaitedFor(client)
        await locks.releaseLock('r', token)
        assert.equal(await waiting, 'ran')
        assert.equal(await client.exists('lock:r', WAITING), 0)
      }),
    )

    test(
      'many callers get it one after the other',
      withService(async (locks, client) => {
        let [inside, last] = [0, 0]
        const run = async () => {
          const lock = await locks.acquire('r', { wait: {} })
          assert.equal(++inside, 1)
          assert.ok(lock.fence > last)
          last = lock.fence
          await client.ping()
          inside--
          assert.equal(await lock.release(), 'released')
        }
        await Promise.all(Array.from({ length: 100 }, run))
        assert.equal(await client.exists('lock:r', WAITING), 0)
      }),
    )

    test(
      'one that comes later does not overtake',
      withService(async (locks, client) => {
        for (let i = 0; i < 20; i++) {
          const lock = await locks.acquire('r')
          const order = []
          const take = async (name) => {
            const next = await locks.acquire('r', { wait: {} })
            order.push(name)
            await next.release()
          }
          const first = take('first')
          await isWaitedFor(client)
          const releasing = lock.release()
          for (let tick = 0; tick < i % 4; tick++) await null
          await Promise.all([first, take('second'), releasing])
          assert.deepEqual(order, ['first', 'second'])
        }
      }),
    )

    test(
      'a lock that expires is handed over without a message',
      withService(async (locks, client) => {
        await client.set('lock:r', 'of a process that has died', { PX: 400 })
        const began = performance.now()
        const lock = await locks.acquire('r', { wait: {} })
        assert.ok(performance.now() - began < 4000)
        await lock.release()
      }),
    )

    test(
      'it ends with E_LOCK_HELD after its time, and with E_ABORTED by its signal, and leaves nothing',
      withService(async (locks, client) => {
        const lock = await locks.acquire('r')
        await refuses(locks.acquire('r', { wait: { timeoutMs: 50 } }), 'E_LOCK_HELD')
        const skipped = locks.withLock('r', () => 1, 30, { skipIfHeld: true, wait: { timeoutMs: 50 } })
        assert.equal(await skipped, undefined)
        await refuses(locks.acquire('r', { wait: { signal: AbortSignal.abort() } }), 'E_ABORTED')
        const controller = new AbortController()
        const waiting = locks.acquire('r', { wait: { signal: controller.signal } })
        await isWaitedFor(client)
        controller.abort()
        await refuses(waiting, 'E_ABORTED')
        await until('no entry is left', async () => (await client.exists(WAITING)) === 0)
        await lock.release()
        // What must not happen has no event: it would by now.
        await sleep(50)
        assert.equal(await client.exists('lock:r'), 0)
      }),
    )

    test(
      'an abort at any moment leaves no lock',
      withService(async (locks, client) => {
        for (let i = 0; i < 60; i++) {
          const lock = await locks.acquire('r', { wait: {} })
          const controller = new AbortController()
          const waiting = locks.acquire('r', { wait: { signal: controller.signal } }).then(
            (next) => next.release(),
            (error) => assert.equal(error.code, 'E_ABORTED'),
          )
          // At another moment of the wait each time.
          await sleep(i % 4)
          const releasing = lock.release()
          await sleep(i % 3)
          controller.abort()
          await Promise.all([waiting, releasing])
        }
        await until('it is free', async () => (await client.exists('lock:r', WAITING)) === 0)
      }),
    )

    test(
      'the disconnection of its service ends it',
      withService(async (locks, client, service) => {
        const lock = await locks.acquire('r')
        const other = engine.beside(service)
        const waiting = other.locks.acquire('r', { wait: {} })
        const refused = refuses(waiting, 'E_CLOSED')
        await isWaitedFor(client)
        await other.disconnect()
        await refused
        await lock.release()
        await until('nothing is left', async () => (await client.exists('lock:r', WAITING)) === 0)
      }),
    )

    test(
      'invalid options are refused',
      withService(async (locks) => {
        for (const wait of [1, { timeoutMs: 0 }, { timeoutMs: '1' }, { signal: 1 }, { timeout: 1 }, null]) {
          await refuses(locks.acquire('r', { wait }), 'E_INVALID_ARGUMENT')
        }
        for (const [call, message] of [
          [() => locks.acquire('r', { wait: true }), 'wait must be an object, got a boolean'],
          [
            () => locks.acquire('r', { wait: { timeout: 1 } }),
            'unknown option "wait.timeout"; did you mean "wait.timeoutMs"?',
          ],
          [() => locks.acquire('r', { wait: { signal: 1 } }), 'wait.signal must be an AbortSignal, got a number'],
          [() => locks.acquire('r', { ttl: 1 }), 'unknown option "ttl"; did you mean "ttlSeconds"?'],
          [
            () => locks.acquireLock('r', { ttlSeconds: 1 }),
            'ttlSeconds must be a number of seconds, got an object; acquire() takes options',
          ],
          [
            () => locks.withLock('r', () => {}, { wait: {} }),
            'ttlSeconds must be a number of seconds, got an object; options are the fourth argument',
          ],
        ]) {
          await assert.rejects(call, { code: 'E_INVALID_ARGUMENT', message })
        }
      }),
    )
  })
}

describe('the time of a wait on a server that is far away', () => {
  test('begins with the call, and is that of all locks together', async () => {
    const server = await startRedis()
    const far = await startProxy({ target: server.port })
    const service = new RedisService({ url: far.url, log: false })
    await service.set('lock:r', 'of another')
    await far.delay({ ms: 100, direction: 'both' })
    const timed = async (call, code) => {
      const began = performance.now()
      await refuses(call, code)
      return performance.now() - began
    }
    const { locks } = service
    for (const fair of [false, true]) {
      const ms = await timed(locks.acquire('r', { wait: { timeoutMs: 500, fair } }), 'E_LOCK_HELD')
      assert.ok(ms > 400 && ms < 650, `${ms} ms`)
      const limited = await timed(locks.with({ timeoutMs: 500 }).acquire('r', { wait: { fair } }), 'E_LOCK_HELD')
      assert.ok(limited > 400 && limited < 650, `${limited} ms`)
    }
    const names = Array.from({ length: 20 }, (_, n) => `all ${n}`)
    const began = performance.now()
    await assert.rejects(locks.with({ timeoutMs: 500 }).acquireAll(names))
    // Those that it has got are released, which takes as long again as one call.
    assert.ok(performance.now() - began < 1200)
    await until('nothing is left', async () => (await server.command('KEYS', 'lock:all *')).length === 0)
    await service.disconnect()
    await far.close()
    await server.stop()
  })
})

describe('waiting for a lock in several processes', () => {
  test('the lock is handed over from process to process, and no wake-up is lost', async () => {
    const service = await redis.makeService()
    const source = `
      import { redisService, DistributedLock } from 'cinnabar'
      let overlaps = 0, longest = 0
      const run = async () => {
        for (let i = 0; i < 25; i++) {
          const began = performance.now()
          const lock = await DistributedLock.acquire('r', { wait: {} })
          longest = Math.max(longest, performance.now() - began)
          if ((await redisService.set('inside', lock.token, { NX: true, EX: 30 })) !== 'OK') overlaps++
          const value = Number(await redisService.get('value'))
          await redisService.set('value', value + 1)
          await redisService.del('inside')
          await lock.release()
        }
      }
      await Promise.all(Array.from({ length: 8 }, run))
      console.log(JSON.stringify({ overlaps, longest }))
      await redisService.disconnect()`
    const outcomes = await Promise.all([1, 2, 3].map(() => runJson(source, { env: redis.env() })))
    assert.deepEqual(
      outcomes.map(({ overlaps }) => overlaps),
      [0, 0, 0],
    )
    assert.equal(await service.get('value'), '600')
    assert.equal(await service.exists('lock:r'), 0)
    await service.disconnect()
  })

  test('a holder that is killed frees the lock for those who wait', async () => {
    const service = await redis.makeService()
    const source = `
      import { DistributedLock } from 'cinnabar'
      await DistributedLock.acquire('r', { ttlSeconds: 1 })
      console.log('held')`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      cwd: root,
      env: { ...process.env, REDIS_URL: redis.server.url },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    const waiting = service.locks.acquire('r', { wait: {} })
    await until('it is waited for', () => service.exists(WAITING))
    child.kill('SIGKILL')
    const lock = await waiting
    assert.equal(await lock.release(), 'released')
    await service.disconnect()
  })

  test('a wait that ends while the server is away does not say that the lock is held', async () => {
    const server = await startRedis()
    const service = new RedisService({ url: server.url, log: false })
    const acquire = (wait) => service.locks.acquire('r', { wait })
    const skip = (wait) => service.locks.withLock('r', () => assert.fail('ran'), 30, { skipIfHeld: true, wait })
    const acquireInTurn = (wait) => acquire({ ...wait, fair: true })
    // The lock would be free before the wait ends, or long after it.
    for (const [take, PX] of [
      [acquire, 700],
      [acquire, 60_000],
      [acquireInTurn, 60_000],
      [skip, 700],
      [skip, 60_000],
    ]) {
      await until('it is there', () => service.set('lock:r', 'of a process that has died', { PX }).catch(() => {}))
      const waiting = take({ timeoutMs: 1500 }).then(
        () => assert.fail('it was skipped'),
        (error) => error,
      )
      await until('it is waited for', () => service.exists(WAITING))
      await server.kill()
      const error = await waiting
      assert.ok(['E_UNAVAILABLE', 'E_MAYBE_APPLIED', 'E_TIMEOUT'].includes(error.code), error.code)
      await server.start()
    }
    await service.disconnect()
    await server.stop()
  })
})
