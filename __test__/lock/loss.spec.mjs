// A lost lock is reported, and a lock whose token no caller received is released.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { describe, test } from 'node:test'

import { DistributedLock, RedisService } from 'cinnabar'

import { assertTyped, rawClient, refuses, root, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const [memory, redis] = engines
const memoryUrl = `memory:${randomUUID()}`
/** Resolves once a signal has aborted, perhaps at once. */
const aborted = async (signal) => signal.aborted || once(signal, 'abort')

/** Keeps this thread busy. */
function block(ms) {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** Resolves when a lock that is held for so many seconds has been lost. */
const lostInTime = (service, seconds) =>
  service.locks
    .withLock('later', (_, later) => aborted(later.signal), seconds, { maxHoldSeconds: seconds })
    .catch((error) => assertTyped(error, 'E_LOCK_LOST'))

for (const engine of engines) {
  describe(`a lock that is lost on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const events = []
      const service = await engine.makeService({ log: (event) => events.push(event) })
      try {
        await run(service, events)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'its operation hears of it when its time is over, and the log does',
      withService(async (service, events) => {
        const other = new DistributedLock(service)
        const running = service.locks.withLock(
          'job',
          async (token, { signal }) => {
            assert.equal(signal.aborted, false)
            await aborted(signal)
            assertTyped(signal.reason, 'E_LOCK_LOST', /job/)
            await until('the lock is free', async () => (await other.acquireLock('job', 30)) !== null)
            assert.equal(await service.locks.releaseLock('job', token), false)
            return 'done'
          },
          0.2,
          { maxHoldSeconds: 0.5 },
        )
        const error = await refuses(running, 'E_LOCK_LOST', /job/)
        assert.equal(error.result, 'done')
        assert.ok(!Object.keys(error).includes('result'), 'it is not logged')
        await until('it is reported', () => events.some(({ type }) => type === 'lock-lost'))
        assert.match(events.find(({ type }) => type === 'lock-lost').message, /"job"/)
      }),
    )

    test(
      'the log hears of it where the operation asks for nothing',
      withService(async (service, events) => {
        const client = await rawClient(service)
        const error = await refuses(
          service.locks.withLock('job', () => client.del('lock:job')),
          'E_LOCK_LOST',
        )
        assert.equal(error.result, 1)
        await until('it is reported', () => events.some(({ type }) => type === 'lock-lost'))
      }),
    )

    test(
      'one that is extended is not lost, until an extension says so',
      withService(async (service) => {
        const client = await rawClient(service)
        const running = service.locks.withLock(
          'job',
          async (token, { signal }) => {
            assert.equal(await new DistributedLock(service).extendLock('job', token, 30), true)
            // Taken later, for as long, and lost when its time is over: then the first time of this one is over too.
            await lostInTime(service, 0.3)
            assert.equal(signal.aborted, false)
            await client.del('lock:job')
            assert.equal(await service.locks.extendLock('job', token, 30), false)
            assert.equal(signal.aborted, true)
          },
          0.3,
          { maxHoldSeconds: 0.3 },
        )
        await refuses(running, 'E_LOCK_LOST')
      }),
    )

    test(
      'a result about another lock says nothing about it',
      withService(async (service, events) => {
        const elsewhere = await memory.makeService()
        await service.locks.withLock('real', async (token, { signal }) => {
          const others = [
            [service.locks, 'typo'],
            [new DistributedLock(service, { prefix: 'other:' }), 'real'],
            [elsewhere.locks, 'real'],
            [service.locks.with({ timeoutMs: 5000 }), 'REAL'],
          ]
          for (const [locks, resource] of others) {
            assert.equal(await locks.extendLock(resource, token), false)
            assert.equal(await locks.releaseLock(resource, token), false)
            assert.equal(signal.aborted, false, resource)
          }
          assert.equal(await service.locks.extendLock('real', token), true)
        })
        await elsewhere.disconnect()
        assert.deepEqual(
          events.filter(({ type }) => type === 'lock-lost'),
          [],
        )
      }),
    )

    test(
      'one that another copy of the package extends is not lost, until it says so',
      withService(async (service) => {
        const copy = new (copyOfPackage().RedisService)({
          url: engine.kind === 'memory' ? memoryUrl : redis.server.url,
        })
        const own = engine.kind === 'memory' ? new RedisService({ url: memoryUrl }) : service
        await own.locks.withLock(
          'job',
          async (token, { signal }) => {
            assert.equal(signal.aborted, false)
            assert.equal(await copy.locks.extendLock('job', token, 30), true)
            // Taken later, for as long: when its time is over, the first time of this one is over too.
            await lostInTime(service, 0.3)
            assert.equal(signal.aborted, false)
            assert.equal(await copy.locks.releaseLock('job', token), true)
            assert.equal(await own.locks.extendLock('job', token), false)
            assert.equal(signal.aborted, false, 'it was given back')
          },
          0.3,
          { maxHoldSeconds: 0.3 },
        )
        await copy.disconnect()
        if (own !== service) await own.disconnect()
      }),
    )

    test(
      'one that was lost before its caller got it is refused',
      withService(async (service, events) => {
        const acquiring = refuses(service.locks.acquire('job', { maxHoldSeconds: 0.2 }), 'E_LOCK_LOST', /job/)
        const running = refuses(
          service.locks.withLock('other job', () => assert.fail('ran'), 30, { maxHoldSeconds: 0.2 }),
          'E_LOCK_LOST',
          /other job/,
        )
        // They are sent by then.
        for (let tick = 0; tick < 10; tick++) await null
        block(500)
        assert.equal((await acquiring).retryable, true)
        await running
        await until('it is reported', () => events.length === 2)
        const client = await rawClient(service)
        assert.equal(await client.exists('lock:job', 'lock:other job'), 0)
      }),
    )

    test(
      'one that its operation releases by itself is not lost',
      withService(async (service, events) => {
        await service.locks.withLock('job', async (token, { signal }) => {
          assert.equal(await service.locks.releaseLock('job', token), true)
          assert.equal(signal.aborted, false)
        })
        await service.locks.withLock('job', () => 1)
        assert.deepEqual(events, [])
      }),
    )
  })
}

/** A relay to the server that closes the connection instead of passing a reply on, for as long as it is asked to. */
async function losing(port) {
  let isLosing = false
  const relay = createServer((client) => {
    const server = connect(port, '127.0.0.1')
    client.pipe(server)
    server.on('data', (data) => (isLosing ? client.destroy() : client.write(data)))
    for (const socket of [client, server]) socket.on('error', () => {})
    client.on('close', () => server.destroy())
  })
  await new Promise((resolve) => relay.listen(0, '127.0.0.1', resolve))
  return {
    url: `redis://127.0.0.1:${relay.address().port}`,
    lose: (flag) => (isLosing = flag),
    close: () => relay.close(),
  }
}

describe('a lock that may have been taken', () => {
  test('is released if the reply was lost', async () => {
    const direct = await redis.makeService()
    const relay = await losing(redis.server.port)
    const service = new RedisService({ url: relay.url, log: false })
    await service.connect()
    for (const take of [
      () => service.locks.acquireLock('job'),
      () => service.locks.withLock('job', () => assert.fail('ran')),
    ]) {
      relay.lose(true)
      await refuses(take(), 'E_MAYBE_APPLIED')
      relay.lose(false)
      await until('it is free', async () => (await direct.exists('lock:job')) === 0)
    }
    await service.disconnect()
    await direct.disconnect()
    relay.close()
  })

  test('is released if the reply came too late', async () => {
    const service = await redis.makeService({ timeoutMs: 300, log: false })
    await service.connect()
    await redis.server.command('CONFIG', 'RESETSTAT')
    redis.server.pause()
    await refuses(service.locks.acquireLock('job'), 'E_MAYBE_APPLIED')
    redis.server.resume()
    const scripts = async () => /cmdstat_eval(sha)?:/.test(await redis.server.command('INFO', 'commandstats'))
    await until('it was given back', scripts)
    assert.equal(await redis.server.command('EXISTS', 'lock:job'), 0)
    await service.disconnect()
  })

  test('keeps no connection once its service is disconnected', async () => {
    const service = await redis.makeService({ timeoutMs: 300, log: false })
    await service.connect()
    const connections = async () => (await redis.server.command('CLIENT', 'LIST')).trim().split('\n').length
    const before = await connections()
    // Whether the acquire or what gives it back comes first is unknown, so that nothing to give back ends nothing.
    await redis.server.command('SET', 'lock:left', 'held by another')
    redis.server.pause()
    await refuses(service.locks.acquireLock('left', 60), 'E_MAYBE_APPLIED')
    redis.server.resume()
    await service.disconnect()
    await until('its connection is closed', async () => (await connections()) < before, 4)
  })

  test('is given back where its caller has gone', async () => {
    for (const engine of [memory, redis]) {
      const service = await engine.makeService()
      const client = await rawClient(service)
      const controller = new AbortController()
      const taking = service.locks.with({ signal: controller.signal }).acquireLock('job')
      controller.abort()
      await refuses(taking, 'E_ABORTED')
      await until('it is free', async () => (await client.exists('lock:job')) === 0)
      await service.disconnect()
    }
  })
})

/** The package once more, as where two versions of it are installed. */
function copyOfPackage() {
  const require = createRequire(import.meta.url)
  const files = Object.keys(require.cache).filter((file) => file.startsWith(`${root}/`) && file.endsWith('.js'))
  const kept = files.map((file) => [file, require.cache[file]])
  for (const file of files) delete require.cache[file]
  try {
    return require('../../index.js')
  } finally {
    for (const [file, module] of kept) require.cache[file] = module
  }
}
