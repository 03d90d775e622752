// Calls on one key are executed and settled in the order in which they were made, over however many connections.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

import { ApiCache, RedisService } from 'cinnabar'

import { randomFrom } from '../../tests/faults/proxy/random.mjs'
import { startProxy } from '../../tests/faults/proxy.mjs'
import { deferred, until } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { startRedis } from '../support/redis.mjs'

const KEYS = 12
/** How a call may end on whose connection something went wrong. */
const HARMLESS = ['E_MAYBE_APPLIED', 'E_NOT_SENT', 'E_UNAVAILABLE']

/**
 * Makes calls on a few keys, in ticks of their own, and records the result of each and the order. `calls` is how many,
 * `others` is called now and then, and `inFlight` has the promises of those that are not settled.
 */
async function run(client, random, { calls, until = () => false, others = () => {}, inFlight = new Set() }) {
  const made = Array.from({ length: KEYS }, () => [])
  const settled = Array.from({ length: KEYS }, () => [])
  const all = []
  for (let n = 0; n < calls && !until(); n++) {
    const key = Math.floor(random() * KEYS)
    // One of two keys that belong together may be in flight on another connection.
    const two = random() < 0.1
    const number = made[key].length
    const note = { number }
    made[key].push(note)
    const call = two
      ? client.eval("redis.call('INCR', KEYS[2]) return redis.call('INCR', KEYS[1])", 2, `{k}n:${key}`, `{k}both`)
      : client.incr(`{k}n:${key}`)
    const end = call
      .then(
        (value) => (note.value = value),
        (error) => (note.error = error),
      )
      .then(() => {
        settled[key].push(number)
        inFlight.delete(end)
      })
    inFlight.add(end)
    all.push(end)
    if (n % 50 === 0) all.push(Promise.resolve(others(n)))
    // No more than a server can process.
    if (all.length > 2000) await Promise.all(all.splice(0))
    await (random() < 0.25 ? new Promise(setImmediate) : null)
  }
  await Promise.all(all)
  return { made, settled }
}

/** Each was executed and settled after those before it: all of them, or more than the share `least`. */
function verify({ made, settled }, { exact = false, least = 0 }) {
  for (const [key, calls] of made.entries()) {
    const done = calls.filter(({ error }) => !error).map(({ value }) => Number(value))
    if (exact) {
      assert.deepEqual(
        done,
        calls.map((_, index) => index + 1),
        `key ${key}`,
      )
    } else {
      assert.ok(done.length > calls.length * least, `key ${key}: ${done.length} of ${calls.length} were done`)
      for (let at = 1; at < done.length; at++)
        assert.ok(done[at] > done[at - 1], `key ${key}: ${done[at - 1]}, ${done[at]}`)
      const odd = calls.map(({ error }) => error?.code).filter((code) => code && !HARMLESS.includes(code))
      assert.deepEqual(odd, [], `key ${key}`)
    }
    // An error may come sooner: nothing is to be waited for then.
    const fulfilled = settled[key].filter((number) => !calls[number].error)
    const wrong = fulfilled.findIndex((number, at) => at > 0 && number < fulfilled[at - 1])
    assert.equal(wrong, -1, `results of key ${key}: ${fulfilled.slice(Math.max(0, wrong - 2), wrong + 2)}`)
  }
}

describe('calls over several connections to one server', () => {
  let server
  let proxy
  before(async () => {
    server = await startRedis()
    await server.command('SETRANGE', 'large', (2 << 20) - 1, 'z')
  })
  after(() => server.stop())

  async function open(options = {}) {
    await server.command('DEL', ...Array.from({ length: KEYS }, (_, key) => `{k}n:${key}`), '{k}both')
    proxy = await startProxy({ target: server.port })
    const service = new RedisService({ url: proxy.url, poolSize: 4, timeoutMs: 20_000, log: false, ...options })
    await service.connect()
    return service
  }

  /** Numbers of the connections that are open. */
  const connections = async () =>
    (await proxy.counters()).connections.filter(({ closedAt }) => closedAt == null).map(({ id }) => id)

  /** Makes the pool grow: a connection is held up until there are so many. */
  async function grow(service, count) {
    await proxy.delay({ ms: 60 })
    const calls = []
    await until('the pool has grown', async () => {
      calls.push(service.get(`other:${calls.length}`))
      return (await connections()).length >= count
    })
    await proxy.heal()
    await Promise.all(calls)
  }

  test('a call waits behind an earlier one on its key, and others do not wait', async () => {
    const service = await open()
    const client = service.getClient()
    await grow(service, 2)
    const [first] = await connections()
    await proxy.hold({ only: first, direction: 'requests' })
    const order = []
    const call = (name, promise) => promise.then((value) => order.push([name, value]))
    const early = [call('first', client.incr('held'))]
    // Longer than a reply may take before others go over another connection.
    await delay(60)
    early.push(call('second', client.incr('held')))
    // As soon as another connection is taken, this one gets its reply.
    await call('other', client.incr('free'))
    early.push(call('third', client.incr('held')))
    assert.deepEqual(order, [['other', 1]])
    await proxy.heal()
    await Promise.all(early)
    assert.deepEqual(order.slice(1), [
      ['first', 1],
      ['second', 2],
      ['third', 3],
    ])
    await service.disconnect()
  })

  test('no load elsewhere ends between the steps of a write or a removal in the cache', async () => {
    const service = await open()
    const elsewhere = new RedisService({ url: server.url, log: false })
    const [cache, other] = [new ApiCache(service), new ApiCache(elsewhere)]
    await grow(service, 2)
    const [first] = await connections()
    for (const [change, left] of [
      [() => cache.invalidate('k'), null],
      [() => cache.set('k', 'new'), 'new'],
    ]) {
      const [began, loaded] = [deferred(), deferred()]
      const load = other.getOrSet('k', () => {
        began.resolve()
        return loaded.promise
      })
      await began.promise
      await proxy.hold({ only: first, direction: 'requests' })
      const onLease = service.get('api:{api:k}:load')
      // Longer than a reply may take before others go over another connection.
      await delay(60)
      await service.get('free')
      const changed = change()
      // Whatever of it goes over another connection has arrived before this one.
      await service.get('free')
      loaded.resolve('old')
      await load
      await proxy.heal()
      await Promise.all([onLease, changed])
      assert.equal(await other.get('k'), left)
      await other.invalidate('k')
    }
    await elsewhere.disconnect()
    await service.disconnect()
  })

  test('connections of different speeds do not change the order', async () => {
    const service = await open()
    await grow(service, 4)
    const ids = await connections()
    for (const [at, only] of ids.entries()) await proxy.delay({ only, ms: at * 7, jitter: 30, direction: 'both' })
    const random = randomFrom(7)
    const large = () => service.get('large').then(() => {})
    verify(await run(service.getClient(), random, { calls: 2000, others: large }), { exact: true })
    await service.disconnect()
  })

  test('connections that are lost in flight do not change the order', async () => {
    const service = await open({ breaker: false, retryAttempts: 50 })
    await grow(service, 3)
    const random = randomFrom(11)
    const cut = async () => {
      const ids = await connections()
      if (ids.length) await proxy.reset({ only: ids[Math.floor(random() * ids.length)] })
    }
    const client = service.getClient()
    verify(await run(client, random, { calls: 3000, others: cut }), { least: 0.1 })
    await service.disconnect()
  })

  test('a read that is sent again does not return what was written after it', async () => {
    const service = await open({ breaker: false })
    await service.set('k', 'old')
    await proxy.hold({ direction: 'replies' })
    const read = service.get('k')
    const settled = []
    read.then(
      () => settled.push('read'),
      () => settled.push('read'),
    )
    const written = service
      .getClient()
      .incr('n')
      .then(
        () => {},
        () => {},
      )
    const write = service.getClient().set('k', 'new')
    write.catch(() => {}).finally(() => settled.push('write'))
    await until('the server has all', async () => (await server.command('GET', 'k')) === 'new')
    await proxy.reset()
    await proxy.heal()
    const [was, wrote] = await Promise.allSettled([read, write])
    await written
    assert.equal(wrote.reason?.code, 'E_MAYBE_APPLIED')
    assert.equal(was.reason?.code ?? was.value, 'E_UNAVAILABLE')
    assert.deepEqual(settled, ['read', 'write'])
    await service.disconnect()
  })

  test('what is sent again after SCRIPT FLUSH stays before what was made later', async () => {
    const service = await open()
    const lock = `room-${Date.now()}`
    const check = (n) =>
      service.limiter.checkRateLimit(lock, 10_000, 60).then(({ remaining }) => assert.equal(remaining, 9999 - n))
    const checks = [check(0)]
    for (let n = 1; n < 600; n++) {
      if (n % 40 === 0) await server.command('SCRIPT', 'FLUSH')
      checks.push(check(n))
      await null
    }
    await Promise.all(checks)
    await service.disconnect()
  })
})

describe('calls on a cluster whose slots move', () => {
  let cluster
  before(async () => {
    cluster = await startCluster()
  })
  after(() => cluster.close())

  test('are executed and settled in order', async () => {
    const service = new RedisService({ url: cluster.url, timeoutMs: 20_000, log: false })
    await service.connect()
    const slot = cluster.keySlot('k')
    const inFlight = new Set()
    let isOver = false
    const move = async () => {
      let from = await cluster.nodeOf(slot)
      for (let moved = 0; moved < 6; moved++) {
        const to = cluster.nodes[(cluster.nodes.indexOf(from) + 1) % 3]
        await cluster.migrate(slot, from, to)
        from = to
        // A call that was redirected to a node must not come there when that imports the slot again.
        await Promise.all(inFlight)
      }
    }
    const moves = move().finally(() => (isOver = true))
    // Until it is awaited.
    moves.catch(() => {})
    const client = service.getClient()
    await Promise.all(Array.from({ length: KEYS }, (_, key) => client.set(`{k}n:${key}`, '0')))
    verify(await run(client, randomFrom(5), { calls: Infinity, until: () => isOver, inFlight }), { least: 0.5 })
    await moves
    await service.disconnect()
  })
})
