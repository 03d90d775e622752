// Who holds which lock, for the person who looks.

import assert from 'node:assert/strict'
import { hostname } from 'node:os'
import { describe, test } from 'node:test'

import { DistributedLock } from 'cinnabar'

import { rawClient, refuses, runJson } from '../helpers.mjs'
import { engines, withClient } from '../support/engines.mjs'

const [, redis] = engines

async function all(iterable) {
  const items = []
  for await (const item of iterable) items.push(item)
  return items.sort((a, b) => (a.resource < b.resource ? -1 : 1))
}

for (const engine of engines) {
  describe(`holders of locks on ${engine.name}`, () => {
    const withService = (run) => withClient(engine)((client, service) => run(service, client))

    test(
      'info has the name of the holder, and since when it holds the lock',
      withService(async (service) => {
        const locks = new DistributedLock(service, { holder: 'web-1', prefix: 'l:' })
        const free = { held: false, mode: null, holders: [], acquiredAt: null, ttlMs: 0, fence: null, waiting: 0 }
        assert.deepEqual(await locks.info('r'), free)
        const before = Date.now()
        const lock = await locks.acquire('r')
        assert.match(lock.token, /^[0-9a-f]{32}:web-1$/)
        const { ttlMs, acquiredAt, ...info } = await locks.info('r')
        assert.deepEqual(info, { held: true, mode: 'write', holders: ['web-1'], fence: lock.fence, waiting: 0 })
        assert.ok(ttlMs > 25_000 && ttlMs <= 30_000)
        // Both clocks are those of this machine, in whole milliseconds.
        assert.ok(acquiredAt >= before - 1 && acquiredAt <= Date.now() + 1, `${acquiredAt - before}`)
        await lock.release()
        const { fence, ...after } = await locks.info('r')
        assert.deepEqual({ ...after, fence: null }, free)
        assert.equal(fence, lock.fence)
        assert.ok(await locks.acquireLock('r'))
        const plain = await locks.info('r')
        assert.deepEqual([plain.mode, plain.holders, plain.acquiredAt], ['write', [], null], 'its token has no name')
      }),
    )

    test(
      'the default name is that of the machine and the process',
      withService(async (service) => {
        const lock = await service.locks.acquire('r', { mode: 'read' })
        assert.deepEqual((await service.locks.info('r')).holders, [`${hostname()}:${process.pid}`])
        await lock.release()
        for (const holder of ['', 'a\nb', 'x'.repeat(129), 7, null]) {
          assert.throws(() => new DistributedLock(service, { holder, prefix: 'm:' }), { name: 'CinnabarError' })
        }
      }),
    )

    test(
      'list has every lock that is held, with its resource as it was passed',
      withService(async (service, client) => {
        const { locks } = service
        assert.deepEqual(await all(locks.list()), [])
        const names = ['a', 'b b', 'ü', '%', '{x}', 'a:b', '*', '%sha256:x', 'x'.repeat(500)]
        const held = await locks.acquireAll(names)
        const reader = await locks.acquire('read', { mode: 'read' })
        await locks.acquireLock('plain')
        const long = await locks.acquire('y'.repeat(600))
        await client.set('other', 'x')
        await client.hSet('lock:hash', 'a', 'b')
        const listed = await all(locks.list())
        assert.deepEqual(listed.map(({ resource }) => resource).sort(), [...names, 'plain', 'read'].sort())
        for (const { resource, ...info } of listed) {
          const { ttlMs, ...same } = await locks.info(resource)
          assert.ok(info.ttlMs >= ttlMs && ttlMs > 20_000)
          assert.deepEqual(info, { ...same, ttlMs: info.ttlMs })
        }
        await Promise.all([held.release(), reader.release(), long.release()])
        assert.deepEqual(
          (await all(locks.list())).map(({ resource }) => resource),
          ['plain'],
        )
      }),
    )

    test(
      'list goes through thousands of keys, each lock once',
      withService(async (service, client) => {
        const { locks } = service
        await Promise.all(Array.from({ length: 3000 }, (_, n) => client.set(`lock:{lock:${n}}:fence`, '1')))
        await Promise.all(Array.from({ length: 3000 }, (_, n) => locks.acquireLock(`r${n}`)))
        const listed = await all(locks.list())
        assert.equal(listed.length, 3000)
        assert.equal(new Set(listed.map(({ resource }) => resource)).size, 3000)
      }),
    )
  })
}

test('what another program wrote as a fencing token makes no call fail, and no lock lost', async () => {
  const service = await redis.makeService()
  const client = await rawClient(service)
  for (const text of ['abc', '', '-5', '1e300', '99999999999999999999', 'nan', 'inf', '1.5']) {
    await client.set('lock:{lock:r}:fence', text)
    const { fence: last } = await service.locks.info('r')
    assert.ok(last === null || Number.isSafeInteger(last), `${text}: ${last}`)
    const lock = await service.locks.acquire('r')
    assert.ok(Number.isSafeInteger(lock.fence) && lock.fence > 1e15, `${text}: ${lock.fence}`)
    assert.equal(await lock.release(), 'released')
  }
  await service.disconnect()
})

test('another process sees the holder', async () => {
  const service = await redis.makeService()
  const lock = await new DistributedLock(service, { holder: 'worker 7' }).acquire('r')
  const seen = await runJson(
    `const { DistributedLock, redisService } = await import('cinnabar')
     const all = []
     for await (const { resource, holders } of DistributedLock.list()) all.push([resource, holders])
     console.log(JSON.stringify(all))
     await redisService.disconnect()`,
    { env: redis.env() },
  )
  assert.deepEqual(seen, [['r', ['worker 7']]])
  await lock.release()
  await service.disconnect()
})

test('list rejects without a server', async () => {
  const service = await redis.makeService({ log: false, timeoutMs: 1000, onUnavailable: 'empty' })
  await redis.server.stop()
  await refuses(all(service.locks.list()), 'E_UNAVAILABLE')
  await service.disconnect()
})
