// What a call of several steps says when it was done in part: that something may have changed, and what is known to be done.

import assert from 'node:assert/strict'
import { after, afterEach, before, describe, test } from 'node:test'

import { ApiCache, RedisService } from 'cinnabar'

import { startProxy } from '../../tests/faults/proxy.mjs'
import { refuses, until } from '../helpers.mjs'
import { engines, startRedis } from '../support/engines.mjs'

const [memory] = engines
const numbers = (count) => Array.from({ length: count }, (_, n) => n)

describe('on one server, over a network that loses replies', () => {
  let server, proxy
  const services = []

  before(async () => {
    server = await startRedis()
    proxy = await startProxy({ target: server.port })
  })
  afterEach(async () => {
    await proxy.heal()
    await Promise.all(services.splice(0).map((service) => service.disconnect()))
    await server.command('FLUSHALL')
  })
  after(async () => {
    await proxy.close()
    await server.kill()
  })

  /** A service whose calls go through the proxy, over one connection. */
  async function open(options) {
    const service = new RedisService({ url: proxy.url, poolSize: 1, breaker: false, log: false, ...options })
    services.push(service)
    await service.connect()
    return service
  }

  /** One that sends nothing again. */
  const openOnce = () => open({ retryAttempts: 0 })

  /** Loses the reply to the next such command after `skip` others, and refuses connections from then on. */
  async function lose(match, skip = 0) {
    await proxy.cutReply({ match, skip })
    await proxy.refuse()
  }

  /** Ends that, and waits until the service is connected again. */
  async function mend(service) {
    await proxy.heal()
    const results = () =>
      service.exists('none').then(
        () => true,
        () => false,
      )
    await until('it is connected again', results)
  }

  test('a write that was sent, lost, and could not be sent again may have been applied', async () => {
    const service = await open({ connectWaitMs: 100 })
    const { cache, limiter, locks, rooms, sessions } = service
    const queue = service.queue('q')
    const token = await locks.acquireLock('r')
    const id = await sessions.createSession('u')
    await cache.set('k', 1, { tags: ['t'] })
    for (const [name, match, call] of [
      ['set', /^EVAL/, () => cache.set('k', 2)],
      ['invalidate', /^EVAL/, () => cache.invalidate('k')],
      ['invalidateByTag', /^DEL/, () => cache.invalidateByTag('t')],
      ['extendLock', /^EVAL/, () => locks.extendLock('r', token)],
      ['extendSession', /^PEXPIRE/, () => sessions.extendSession(id, 60)],
      ['addUserToRoom', /^EVAL/, () => rooms.addUserToRoom('room', 'u')],
      ['add', /^EVAL/, () => queue.add('job', 1)],
      ['resetRateLimit', /^EVAL/, () => limiter.resetRateLimit('id')],
    ]) {
      await lose(match)
      const error = await refuses(call(), 'E_MAYBE_APPLIED')
      assert.equal(error.retryable, false, name)
      await mend(service)
    }
    assert.equal((await queue.counts()).ready, 1, 'a second add() would have added a second job')
  })

  test('what only reads, or leaves a mark that claims nothing, has changed nothing', async () => {
    const service = await open({ connectWaitMs: 100 })
    const cache = new ApiCache(service, { onUnavailable: 'throw' })
    const id = await service.sessions.createSession('u')
    await service.set('k', 'v')
    await service.connect()
    const client = service.getClient()
    for (const [match, call] of [
      [/^GET/, () => service.get('k')],
      [/^TIME/, () => client.sendCommand(['TIME'])],
      [/^GET/, () => client.sendCommand(['GET', 'k'])],
      [/^GET/, () => cache.get('k')],
      [/^EVAL/, () => cache.set('tagged', 1, { tags: ['t'] })],
      [/^MGET/, () => service.sessions.getSession(id)],
      [/^EVAL/, () => service.sessions.createSession('other')],
      [/^EVAL/, () => service.sessions.listSessions('u')],
      [/^EVAL/, () => service.queue('q').counts()],
    ]) {
      await lose(match)
      const error = await refuses(call(), 'E_UNAVAILABLE')
      assert.equal(error.retryable, true)
      assert.ok(!('done' in error))
      await mend(service)
    }
    assert.equal(await cache.get('tagged'), null)
    assert.deepEqual(await service.sessions.listSessions('other'), [])
  })

  test('a pattern is removed portion by portion, and its error says how many went', async () => {
    const service = await openOnce()
    await service.cache.setMany(numbers(3000).map((n) => ({ key: `k${n}`, value: n })))
    const left = async () => (await server.command('KEYS', 'api:k*')).length
    await lose(/^UNLINK/, 1)
    const error = await refuses(service.cache.invalidateByPattern('k*'), 'E_MAYBE_APPLIED')
    await until('the second portion is gone too', async () => (await left()) < 3000 - error.done)
    assert.ok(error.done > 0 && error.done < 3000, String(error.done))
    await mend(service)
    const rest = await left()
    assert.equal(await service.cache.invalidateByPattern('k*'), rest)
    await service.cache.set('k', 1)
    await lose(/^UNLINK/)
    assert.equal((await refuses(service.cache.invalidateByPattern('k*'), 'E_MAYBE_APPLIED')).done, 0)
  })

  test('setMany names the keys that are stored', async () => {
    const service = await openOnce()
    // Small values would travel in one run.
    const value = 'x'.repeat(20_000)
    const entries = numbers(20).map((n) => ({ key: `k${n}`, value, ...(n % 2 ? {} : { tags: ['t'] }) }))
    // The marks of the tag are asked for first, in one run.
    await lose(/^EVAL/, 6)
    const error = await refuses(service.cache.setMany(entries), 'E_MAYBE_APPLIED')
    assert.deepEqual(error.done, ['k1', 'k3', 'k5', 'k7', 'k9'])
    assert.ok(!Object.keys(error).includes('done') && !JSON.stringify(error).includes('k3'), 'no log copies the keys')
    await mend(service)
    assert.deepEqual(await service.cache.getMany(error.done), Array(5).fill(value))
  })

  test('what found no room beside the others does not hide that they were done', async () => {
    const service = await open({ maxQueuedCalls: 10 })
    const entries = numbers(20).map((n) => ({ key: `k${n}`, value: n }))
    const error = await refuses(service.cache.setMany(entries), 'E_MAYBE_APPLIED', /maxQueuedCalls/)
    assert.deepEqual(
      error.done,
      numbers(10).map((n) => `k${n}`),
    )
    const stored = await Promise.all(numbers(20).map((n) => server.command('EXISTS', `api:k${n}`)))
    assert.deepEqual(stored, [...Array(10).fill(1), ...Array(10).fill(0)])
  })

  test('sessions that are ended together say how many were deleted, and none of them counts', async () => {
    const service = await openOnce()
    const { sessions } = service
    for (const [runsBefore, end] of [
      [1, () => sessions.destroyByTag('t')],
      [2, () => sessions.invalidateUser('u')],
    ]) {
      const ids = await Promise.all(numbers(300).map(() => sessions.createSession('u', {}, { tags: ['t'] })))
      // What drops the group runs first; then each run deletes 64 of them.
      await lose(/^EVAL/, runsBefore + 2)
      const error = await refuses(end(), 'E_MAYBE_APPLIED')
      assert.equal(error.done, 128)
      await mend(service)
      assert.deepEqual(new Set(await Promise.all(ids.map((id) => sessions.getSession(id)))), new Set([null]))
    }
  })

  test('jobs that are added, drained and cleaned together say which and how many', async () => {
    const service = await openOnce()
    const queue = service.queue('q')
    const jobs = numbers(1200).map((n) => ({ name: 'job', data: n, id: `job ${n}` }))
    await lose(/^EVAL/, 1)
    const added = await refuses(queue.addMany(jobs), 'E_MAYBE_APPLIED')
    assert.deepEqual(
      added.done,
      jobs.slice(0, 500).map(({ id }) => id),
    )
    await mend(service)
    await queue.addMany(jobs)
    assert.equal((await queue.counts()).ready, 1200)
    // Two parts of those that are ready are empty; each step removes a hundred.
    for (const remove of [() => queue.drain(), () => queue.clean('ready')]) {
      await lose(/^EVAL/, 4)
      const removed = await refuses(remove(), 'E_MAYBE_APPLIED')
      assert.equal(removed.done, 200)
      await mend(service)
    }
    assert.equal((await queue.counts()).ready, 600)
  })

  test('an empty value is not returned for what may have been done', async () => {
    const service = await open({ retryAttempts: 0, onUnavailable: 'empty' })
    const ids = await Promise.all(numbers(3).map(() => service.sessions.createSession('u')))
    await lose(/^EVAL/, 2)
    const error = await refuses(service.sessions.invalidateUser('u'), 'E_MAYBE_APPLIED')
    assert.equal(error.done, 0)
    await mend(service)
    assert.equal(await service.sessions.getSession(ids[0]), null)
    await lose(/^GET/)
    assert.equal(await service.sessions.getSession(ids[0]), null, 'a read has one')
  })
})

describe('on the embedded engine', () => {
  test('a step that fails after others says that those were done', async () => {
    const service = await memory.makeService({ maxBytes: 8_000_000 })
    const queue = service.queue('q')
    const jobs = numbers(20).map((n) => ({ id: `j${n}`, name: 'job', data: 'x'.repeat(600_000) }))
    const error = await refuses(queue.addMany(jobs), 'E_MAYBE_APPLIED', /OOM|memory/)
    assert.ok(error.done.length > 0 && error.done.length < 20, String(error.done))
    const there = await Promise.all(jobs.map(async ({ id }) => ((await queue.get(id)) ? id : null)))
    assert.deepEqual(
      error.done,
      there.filter((id) => id !== null),
    )
    await service.disconnect()
  })
})
