// Locks that a majority of independent servers grants.

import assert from 'node:assert/strict'
import { after, beforeEach, describe, test } from 'node:test'

import { QuorumLock, RedisService } from 'cinnabar'

import { refuses, until } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'

const servers = await Promise.all([1, 2, 3].map(() => startRedis()))
const makeServices = () => servers.map(({ url }) => new RedisService({ url, log: false }))
const services = makeServices()
const locks = new QuorumLock(services)
after(async () => {
  await Promise.all(services.map((service) => service.disconnect()))
  await Promise.all(servers.map((server) => server.stop()))
})

const holders = (key = 'lock:r') =>
  Promise.all(servers.map((server) => server.running && server.command('EXISTS', key)))
const areFree = () => until('it is free', async () => (await holders()).every((count) => !count))

describe('a lock on a quorum', () => {
  beforeEach(async () => {
    await Promise.all(servers.map((server) => server.start()))
    await Promise.all(
      services.map((service) =>
        until('it is there', () =>
          service.exists('x').then(
            () => true,
            () => false,
          ),
        ),
      ),
    )
    await Promise.all(servers.map((server) => server.command('FLUSHALL')))
  })

  test('is held on all servers, and released on all', async () => {
    const lock = await locks.acquire('r')
    await until('all have granted it', async () => (await holders()).every((count) => count === 1))
    assert.deepEqual([lock.resource, lock.held, lock.signal.aborted], ['r', true, false])
    await refuses(locks.acquire('r'), 'E_LOCK_HELD')
    assert.equal(await lock.extend(60), true)
    assert.equal(await lock.release(), 'released')
    assert.equal(await lock.release(), 'released')
    assert.equal(lock.held, false)
    await areFree()
    const other = await locks.acquire('r')
    assert.equal(other.held, true)
    await other[Symbol.asyncDispose]()
    await areFree()
  })

  test('needs a majority of the servers', async () => {
    await servers[0].kill()
    const lock = await locks.acquire('r')
    assert.equal(lock.held, true)
    assert.equal(await lock.release(), 'released')
    await servers[1].kill()
    const began = performance.now()
    await refuses(locks.acquire('r'), 'E_UNAVAILABLE')
    assert.ok(performance.now() - began < 3000)
    await areFree()
  })

  test('does not wait for a server that is silent', async () => {
    await servers[2].whilePaused(async () => {
      const began = performance.now()
      const lock = await locks.acquire('r')
      assert.ok(performance.now() - began < 500)
      assert.equal(await lock.release(), 'released')
    })
    // What it grants late is released too.
    await areFree()
  })

  test('is not granted by a minority, whose part is released', async () => {
    await services[0].set('lock:r', 'of another')
    const lock = await locks.acquire('r')
    assert.equal(await lock.release(), 'released')
    await services[1].set('lock:r', 'of another')
    await refuses(locks.acquire('r'), 'E_LOCK_HELD')
    await until('the third is free', async () => (await servers[2].command('EXISTS', 'lock:r')) === 0)
  })

  test('is waited for', async () => {
    const lock = await locks.acquire('r')
    await refuses(locks.acquire('r', { wait: { timeoutMs: 200 } }), 'E_LOCK_HELD')
    const controller = new AbortController()
    const aborted = refuses(locks.acquire('r', { wait: { signal: controller.signal } }), 'E_ABORTED')
    // Refused after the other one, which therefore pauses between two attempts.
    await refuses(locks.acquire('r'), 'E_LOCK_HELD')
    controller.abort()
    await aborted
    await refuses(locks.acquire('r', { wait: { signal: AbortSignal.abort() } }), 'E_ABORTED')
    const waiting = locks.acquire('r', { wait: {} })
    await lock.release()
    assert.equal(await (await waiting).release(), 'released')
    await areFree()
  })

  test('has one holder at a time', async () => {
    const others = makeServices()
    const contenders = [locks, new QuorumLock(others)]
    let [inside, runs] = [0, 0]
    const run = (n) =>
      contenders[n % 2].withLock(
        'r',
        async () => {
          assert.equal(++inside, 1)
          await services[0].exists('x')
          inside -= 1
          runs += 1
        },
        30,
        { wait: { timeoutMs: 60_000 } },
      )
    await Promise.all(Array.from({ length: 12 }, (_, n) => run(n)))
    assert.equal(runs, 12)
    await areFree()
    await Promise.all(others.map((service) => service.disconnect()))
  })

  test('is lost with the majority of its parts', async () => {
    const lost = new Promise((resolve) => {
      const operation = async ({ signal }) => {
        await until('all have granted it', async () => (await holders()).every((count) => count === 1))
        await servers[0].command('DEL', 'lock:r')
        await servers[1].command('DEL', 'lock:r')
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
        assert.equal(signal.reason.code, 'E_LOCK_LOST')
        return 42
      }
      locks.withLock('r', operation, 1).catch(resolve)
    })
    const error = await lost
    assert.deepEqual([error.code, error.result], ['E_LOCK_LOST', 42])
    await areFree()
    const lock = await locks.acquire('r')
    await until('all have granted it', async () => (await holders()).every((count) => count === 1))
    await servers[0].command('DEL', 'lock:r')
    assert.equal(await lock.extend(), true)
    assert.equal(await lock.release(), 'released')
  })

  test('rejects with the error of its operation', async () => {
    const failure = new Error('mine')
    await assert.rejects(
      locks.withLock('r', () => Promise.reject(failure)),
      failure,
    )
    await areFree()
  })
})

test('a quorum has at least three servers, each its own', async () => {
  const message = (text) => ({ code: 'E_INVALID_ARGUMENT', message: text })
  assert.throws(() => new QuorumLock(), message(/^services must be an array of RedisService, got undefined/))
  assert.throws(() => new QuorumLock(services.slice(1)), message('services must contain at least 3, got 2'))
  assert.throws(() => new QuorumLock([...services.slice(1), services[1]]), message(/must use a different server/))
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  assert.throws(() => new QuorumLock(proxy), { code: 'E_INVALID_ARGUMENT' })
  const throwing = new Proxy(services, { get: () => assert.fail('read') })
  assert.throws(() => new QuorumLock(throwing), message('services could not be read'))
  assert.throws(() => new QuorumLock([1, 2, 3]), { code: 'E_INVALID_ARGUMENT' })
  assert.throws(() => new QuorumLock(services, { prefx: 'x' }), message(/did you mean "prefix"/))
  for (const options of [1, { ttl: 1 }, { ttlSeconds: 0 }, { wait: true }, { wait: { fair: true } }]) {
    await refuses(locks.acquire('r', options), 'E_INVALID_ARGUMENT')
  }
  await refuses(locks.acquire('r\0'), 'E_INVALID_ARGUMENT')
  await refuses(locks.withLock('r', 1), 'E_INVALID_ARGUMENT')
})
