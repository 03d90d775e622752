// Readers of a lock are together, a writer is alone.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises'

import { RedisService } from 'cinnabar'

import { rawClient, refuses, runModule, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines } from '../support/engines.mjs'

const [, redis] = engines
const READERS = 'lock:{lock:r}:readers'
const read = { mode: 'read' }
const wait = { timeoutMs: 10_000 }

async function turns(count) {
  for (let n = 0; n < count; n++) await turn()
}

for (const engine of engines) {
  describe(`read and write locks on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const service = await engine.makeService()
      try {
        await run(service.locks, await rawClient(service), service)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'readers hold a lock together, and exclude every writer',
      withService(async (locks, client) => {
        const first = await locks.acquire('r', read)
        const second = await locks.acquire('r', { ...read, ttlSeconds: 60 })
        assert.deepEqual([first.mode, second.mode], ['read', 'read'])
        assert.ok(second.fence > first.fence)
        assert.deepEqual((await client.zRange(READERS, 0, -1)).sort(), [first.token, second.token].sort())
        await refuses(locks.acquire('r'), 'E_LOCK_HELD')
        await refuses(
          locks.withLock('r', () => {}),
          'E_LOCK_HELD',
        )
        assert.equal(await locks.acquireLock('r'), null)
        const ttl = await client.pTTL('lock:r')
        assert.ok(ttl > 55_000 && ttl <= 60_000, `it lasts as long as the longest of them: ${ttl}`)
        assert.equal(await second.release(), 'released')
        const left = await client.pTTL('lock:r')
        assert.ok(left > 25_000 && left <= 30_000, `then as long as the other: ${left}`)
        await refuses(locks.acquire('r'), 'E_LOCK_HELD')
        assert.equal(await first.release(), 'released')
        assert.equal(await client.exists(['lock:r', READERS]), 0)
        const writer = await locks.acquire('r')
        assert.equal(writer.mode, 'write')
        assert.ok(writer.fence > second.fence)
        await refuses(locks.acquire('r', read), 'E_LOCK_HELD')
        await writer.release()
      }),
    )

    test(
      'a reader extends and releases its own lease only, by its token too',
      withService(async (locks, client) => {
        const [first, second] = [await locks.acquire('r', read), await locks.acquire('r', read)]
        assert.equal(await first.extend(60), true)
        assert.ok((await client.pTTL('lock:r')) > 55_000)
        assert.equal(await locks.extendLock('r', second.token, 90), true)
        assert.ok((await client.pTTL('lock:r')) > 85_000)
        const shared = await client.get('lock:r')
        for (const token of [shared, 'read:', `read:${first.token}`, first.token.slice(5)]) {
          assert.equal(await locks.releaseLock('r', token), false)
          assert.equal(await locks.extendLock('r', token), false)
        }
        assert.equal(await locks.releaseLock('r', second.token), true)
        assert.equal(await locks.releaseLock('r', second.token), false)
        assert.equal(second.held, false)
        assert.equal(first.held, true)
        assert.equal(await first.release(), 'released')
        assert.equal(await second.release(), 'released')
      }),
    )

    test(
      'a writer that waits has its time, though readers keep coming',
      withService(async (locks, client, service) => {
        const other = engine.beside(service, { poolSize: 2 })
        const reader = await locks.acquire('r', read)
        const writing = other.locks.acquire('r', { wait })
        await until('it waits', async () => (await locks.info('r')).waiting === 1)
        await refuses(locks.acquire('r', read), 'E_LOCK_HELD')
        const reading = locks.acquire('r', { ...read, wait })
        await turns(20)
        let hasWritten = false
        const written = writing.then(async (writer) => {
          hasWritten = true
          await turn()
          return writer.release()
        })
        await reader.release()
        const next = await reading
        // Both had the same chance when it was free.
        if (hasWritten) await written
        assert.equal(next.held, true)
        await next.release()
        assert.equal(await written, 'released')
        await other.disconnect()
      }),
    )

    test(
      'a reader whose turn it is waits for a writer that does not wait in turn',
      withService(async (locks, client, service) => {
        const other = engine.beside(service, { poolSize: 2 })
        const reader = await locks.acquire('r', read)
        const writing = other.locks.acquire('r', { wait })
        await until('it waits', async () => (await locks.info('r')).waiting === 1)
        await refuses(locks.acquire('r', { ...read, wait: { fair: true, timeoutMs: 50 } }), 'E_LOCK_HELD')
        await reader.release()
        const writer = await writing
        await writer.release()
        await other.disconnect()
      }),
    )

    test(
      'readers go on when the writer that they waited for gives up',
      withService(async (locks, client, service) => {
        const other = engine.beside(service, { poolSize: 2 })
        const reader = await locks.acquire('r', read)
        const controller = new AbortController()
        const writing = other.locks.acquire('r', { wait: { ...wait, signal: controller.signal } })
        await until('it waits', async () => (await locks.info('r')).waiting === 1)
        const reading = locks.acquire('r', { ...read, wait })
        await turns(20)
        const began = performance.now()
        controller.abort()
        await refuses(writing, 'E_ABORTED')
        const next = await reading
        assert.ok(performance.now() - began < 2000, 'woken, not by chance')
        await Promise.all([reader.release(), next.release()])
        await other.disconnect()
      }),
    )

    test(
      'in turn, neighbouring readers hold it together and writers in between alone',
      withService(async (locks, client, service) => {
        const others = [2, 3].map((poolSize) => engine.beside(service, { poolSize }))
        const all = [service, ...others]
        const first = await locks.acquire('r')
        const [order, queued] = [[], []]
        let reading = 0
        const modes = ['read', 'read', 'read', 'write', 'read', 'read', 'write', 'write', 'read']
        for (const [n, mode] of modes.entries()) {
          const run = async (_, lock) => {
            order.push(n)
            if (mode === 'write') assert.equal(reading, 0, 'a writer is alone')
            else reading++
            assert.equal((await locks.info('r')).mode, mode)
            // The first three are together before one of them leaves.
            if (n < 3) await until('all three read', () => order.length >= 3)
            if (mode === 'read') reading--
            assert.equal(lock.held, true)
          }
          queued.push(all[n % 3].locks.withLock('r', run, 30, { mode, wait: { ...wait, fair: true } }))
          await until('it is queued', async () => (await locks.info('r')).waiting === n + 1)
        }
        await first.release()
        await Promise.all(queued)
        // Readers that hold it together begin in any order.
        const groups = [order.slice(0, 3), order.slice(3, 4), order.slice(4, 6), order.slice(6, 7), order.slice(7, 8)]
        assert.deepEqual(
          groups.map((group) => group.sort()),
          [[0, 1, 2], [3], [4, 5], [6], [7]],
        )
        assert.equal(await client.exists(['lock:r', READERS, 'lock:{lock:r}:queue', 'lock:{lock:r}:waiting']), 0)
        await Promise.all(others.map((other) => other.disconnect()))
      }),
    )

    test(
      'a mode is read or write',
      withService(async (locks, client) => {
        for (const mode of ['shared', '', null, 1, {}, 'Read']) {
          await refuses(locks.acquire('r', { mode }), 'E_INVALID_ARGUMENT', /mode must be 'read' or 'write'/)
          await refuses(
            locks.withLock('r', () => {}, 30, { mode }),
            'E_INVALID_ARGUMENT',
            /mode must be/,
          )
        }
        assert.equal(await client.exists('lock:r'), 0)
        const both = await locks.acquireAll(['a', 'b'], read)
        const more = await locks.acquireAll(['b', 'a'], read)
        assert.deepEqual(
          [...both.locks, ...more.locks].map(({ mode }) => mode),
          Array(4).fill('read'),
        )
        await Promise.all([both.release(), more.release()])
      }),
    )

    test(
      'another value or type in the place of its keys is an error or replaced',
      withService(async (locks, client) => {
        await client.sAdd('lock:r', 'x')
        await refuses(locks.acquire('r', read))
        await client.del('lock:r')
        await client.set(READERS, 'x')
        await (await locks.acquire('r', read)).release()
        // Readers of a lock that is gone have it no more.
        const lock = await locks.acquire('r', { ...read, ttlSeconds: 30 })
        await client.del('lock:r')
        assert.equal(await lock.extend(30), false)
        assert.equal(await lock.release(), 'already-lost')
      }),
    )
  })
}

describe('readers that die', () => {
  test('leave the lock to a writer when their leases end, by the renewals of others no later', async () => {
    const service = await redis.makeService()
    const { out } = await runModule(
      `const { DistributedLock } = await import('cinnabar')
       const lock = await DistributedLock.acquire('r', { mode: 'read', ttlSeconds: 1 })
       console.log(JSON.stringify({ token: lock.token }))
       process.kill(process.pid, 'SIGKILL')`,
      { env: redis.env() },
    )
    const { token } = JSON.parse(out)
    const reader = await service.locks.acquire('r', { ...read, ttlSeconds: 1 })
    const client = await rawClient(service)
    assert.equal((await client.zRange(READERS, 0, -1)).length, 2)
    // A renewal of the other one removes it.
    await until('its lease has ended', async () => !(await client.zRange(READERS, 0, -1)).includes(token))
    assert.equal(reader.held, true)
    const began = performance.now()
    await reader.release()
    const writer = await service.locks.acquire('r')
    assert.ok(performance.now() - began < 900, 'nothing of the dead one is waited for')
    await writer.release()
    await service.disconnect()
  })
})

describe('a writer that could not be removed when its wait ended', () => {
  for (const fair of [false, true]) {
    test(`no longer waits once the server responds again${fair ? ', in turn' : ''}`, async () => {
      const service = await redis.makeService({ log: false, timeoutMs: 1000 })
      const other = redis.beside(service, { poolSize: 2, log: false, timeoutMs: 1000 })
      const reader = await service.locks.acquire('r', { ...read, ttlSeconds: 60 })
      const writing = refuses(other.locks.acquire('r', { wait: { fair, timeoutMs: 1500 } }), 'E_UNAVAILABLE')
      await until('it waits', async () => (await service.locks.info('r')).waiting === 1)
      redis.server.pause()
      await writing
      // Longer than one attempt to remove it takes.
      await sleep(2500)
      redis.server.resume()
      await until('it is gone', async () => (await service.locks.info('r').catch(() => ({}))).waiting === 0)
      const next = await service.locks.acquire('r', read)
      await Promise.all([reader.release(), next.release()])
      await Promise.all([service.disconnect(), other.disconnect()])
    })
  }
})

describe('readers in a cluster', () => {
  let cluster
  after(() => cluster?.close())

  test('hold locks in every slot together', async () => {
    cluster = await startCluster({ primaries: 3 })
    const service = new RedisService({ url: cluster.url })
    const names = Array.from({ length: 30 }, (_, n) => `r${n}`)
    const first = await service.locks.acquireAll(names, read)
    const second = await service.locks.acquireAll(names, read)
    for (const name of names) await refuses(service.locks.acquire(name), 'E_LOCK_HELD')
    const listed = []
    for await (const lock of service.locks.list()) listed.push(lock)
    assert.deepEqual(listed.map(({ resource }) => resource).sort(), names.sort())
    assert.ok(listed.every(({ mode, holders }) => mode === 'read' && holders.length === 2))
    await Promise.all([first.release(), second.release()])
    const writers = await service.locks.acquireAll(names)
    await writers.release()
    await service.disconnect()
  })
})
