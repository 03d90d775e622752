// Locks that replicas have stored before they count as acquired.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { refuses } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines } from '../support/engines.mjs'

const [memory, redis] = engines
const cluster = await startCluster({ primaries: 3, replicas: 1 })
after(() => cluster.close())

describe('locks with replicas', () => {
  const service = new RedisService({ url: cluster.url, log: false })
  const { locks } = service
  after(() => service.disconnect())

  test('are stored by a replica once they are acquired, in every slot', async () => {
    for (const mode of ['read', 'write']) {
      for (let n = 0; n < 20; n++) {
        const lock = await locks.acquire(`r${n}`, { mode, replicas: {} })
        const [replica] = await cluster.replicasOf(
          await cluster.nodeOf(await cluster.nodes[0].command('CLUSTER', 'KEYSLOT', `lock:r${n}`)),
        )
        assert.ok((await replica.command('KEYS', 'lock:r*')).includes(`lock:r${n}`))
        assert.equal(await lock.release(), 'released')
      }
    }
    assert.equal(await locks.withLock('r', () => 42, 30, { replicas: { count: 1, timeoutMs: 5000 } }), 42)
    const both = await locks.acquireAll(['a', 'b'], { replicas: {} })
    await both.release()
  })

  test('are released, and not acquired, if too few replicas store them in time', async () => {
    const began = performance.now()
    const options = { replicas: { count: 2, timeoutMs: 200 } }
    const error = await refuses(
      locks.acquire('few', options),
      'E_UNAVAILABLE',
      /^Could not acquire lock for resource: few$/,
    )
    assert.match(error.cause.message, /^1 of 2 replicas stored the lock within 200 ms$/)
    assert.equal(error.retryable, true)
    assert.ok(performance.now() - began >= 200)
    let hasRun = false
    await refuses(
      locks.withLock('few', () => (hasRun = true), 30, options),
      'E_UNAVAILABLE',
    )
    assert.equal(hasRun, false)
    assert.equal((await locks.info('few')).held, false)
    const lock = await locks.acquire('few', { replicas: {} })
    await lock.release()
  })

  test('are not waited for on one connection with other calls', async () => {
    const waiting = refuses(locks.acquire('few', { replicas: { count: 9, timeoutMs: 1500 } }), 'E_UNAVAILABLE')
    const key = `{lock:few}:other`
    await service.set(key, 'x')
    const began = performance.now()
    for (let n = 0; n < 20; n++) assert.equal(await service.get(key), 'x')
    assert.ok(performance.now() - began < 1000, 'in the slot of the lock')
    await waiting
  })

  test('a caller that aborts meanwhile leaves no lock', async () => {
    const controller = new AbortController()
    const acquiring = locks
      .with({ signal: controller.signal })
      .acquire('few', { replicas: { count: 9, timeoutMs: 1000 } })
    setTimeout(() => controller.abort(), 100)
    await refuses(acquiring, 'E_ABORTED')
    const lock = await locks.acquire('few', { wait: { timeoutMs: 5000 } })
    await lock.release()
  })
})

test('a server without replicas, and the embedded store, cannot do it', async () => {
  const alone = await redis.makeService({ log: false })
  const error = await refuses(alone.locks.acquire('r', { replicas: { timeoutMs: 50 } }), 'E_UNAVAILABLE')
  assert.match(error.cause.message, /^0 of 1 replicas/)
  assert.equal((await alone.locks.info('r')).held, false)
  await alone.disconnect()
  const embedded = await memory.makeService({ log: false })
  await refuses(embedded.locks.acquire('r', { replicas: {} }), 'E_UNSUPPORTED', /WAIT/)
  assert.equal((await embedded.locks.info('r')).held, false)
  await embedded.disconnect()
})

test('invalid replicas are refused before anything is sent', async () => {
  const service = await redis.makeService()
  for (const replicas of [
    null,
    1,
    'x',
    [],
    { count: 0 },
    { count: 1.5 },
    { count: '1' },
    { count: 1001 },
    { timeoutMs: 0 },
    { timeoutMs: '5' },
    { many: 1 },
  ]) {
    await refuses(service.locks.acquire('r', { replicas }), 'E_INVALID_ARGUMENT', /replicas/)
  }
  assert.equal((await service.locks.info('r')).fence, null)
  await service.disconnect()
})
