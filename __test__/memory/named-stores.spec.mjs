// `memory:name` is one store of the process, whatever other options the services have.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'

import { ApiCache, RedisService, SessionManager } from 'cinnabar'

import { deferred, until } from '../helpers.mjs'

const OTHERWISE = [
  {},
  { log: false },
  { timeoutMs: 4000 },
  { poolSize: 3 },
  { retryAttempts: 1 },
  { connectWaitMs: 100 },
  { connectTimeoutMs: 1000 },
  { keepAliveMs: 9999 },
  { maxQueuedCalls: 10 },
  { maxQueuedBytes: 2 ** 20 },
  { breaker: false },
  { reconnect: { firstMs: 10 } },
  { onUnavailable: 'empty' },
  { maxBytes: 2 ** 28 },
  { maxBytes: 2 ** 27 },
  { username: 'a-user', password: 'secret' },
]

test('services of one name share data, messages and locks', async () => {
  const url = `memory:${randomUUID()}`
  const first = new RedisService({ url })
  await first.set('key', 'of the first')
  assert.equal((await first.locks.acquireLock('lock')) !== null, true)
  for (const options of OTHERWISE) {
    const other = new RedisService({ url, ...options })
    const reported = JSON.stringify(options)
    assert.equal(await other.get('key'), 'of the first', reported)
    assert.equal(await other.locks.acquireLock('lock'), null, reported)
    const heard = deferred()
    const subscription = await other.subscribe('channel', heard.resolve)
    await first.publish('channel', reported)
    assert.equal(await heard.promise, reported)
    await subscription.close()
    await other.disconnect()
  }
  await first.disconnect()
})

test('databases of one name share nothing: no data, messages, locks or prefixes', async (t) => {
  const url = `memory:${randomUUID()}`
  const services = [0, 1, 1].map((db) => new RedisService({ url, db, log: false }))
  const [one, other, same] = services
  t.after(() => Promise.all(services.map((service) => service.disconnect())))
  const heard = []
  await one.subscribe('channel', (value) => heard.push(value))
  await one.set('key', 'of 0')
  await other.set('key', 'of 1')
  assert.ok(await one.locks.acquireLock('lock'))
  assert.ok(await other.locks.acquireLock('lock'))
  assert.equal(await same.locks.acquireLock('lock'), null)
  assert.equal(await other.publish('channel', 'from 1'), 0)
  await one.publish('channel', 'from 0')
  await until('the message is heard', () => heard.length > 0)
  assert.deepEqual(heard, ['from 0'])
  new SessionManager(one, { prefix: 'x:' })
  new ApiCache(other, { prefix: 'x:' })
  assert.throws(() => new SessionManager(same, { prefix: 'x:' }), { code: 'E_INVALID_SETTINGS' })
  await other.getClient().flushDb()
  assert.deepEqual(await Promise.all(services.map((service) => service.get('key'))), ['of 0', null, null])
})

test('services of another name share nothing, and a slash before the name means nothing', async () => {
  const name = randomUUID()
  const [one, same, other] = [`memory:${name}`, `memory://${name}`, `memory:${name}2`].map(
    (url) => new RedisService({ url }),
  )
  await one.set('key', 'value')
  assert.deepEqual(await Promise.all([one, same, other].map((service) => service.get('key'))), ['value', 'value', null])
  await Promise.all([one, same, other].map((service) => service.disconnect()))
})

test('the limiter of a worker thread counts with the one of this thread', async () => {
  const url = `memory:${randomUUID()}`
  const service = new RedisService({ url })
  assert.equal((await service.limiter.checkRateLimit('user', 3, 60)).remaining, 2)
  const source = `
    const { parentPort } = require('node:worker_threads')
    const { RedisService } = require('cinnabar')
    const service = new RedisService({ url: ${JSON.stringify(url)}, timeoutMs: 3000, log: false })
    service.limiter.checkRateLimit('user', 3, 60).then(({ remaining }) => parentPort.postMessage(remaining)).then(() => service.disconnect())`
  const worker = new Worker(source, { eval: true })
  assert.equal(await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject)), 1)
  await worker.terminate()
  assert.equal((await service.limiter.checkRateLimit('user', 3, 60)).remaining, 0)
  await service.disconnect()
})
