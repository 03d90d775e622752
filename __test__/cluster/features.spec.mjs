import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, beforeEach, describe, test } from 'node:test'

import { ApiCache, DistributedLock, RateLimiter, RealtimeDataManager, RedisService, SessionManager } from 'cinnabar'

import { assertTyped, rawClient, refuses, until } from '../helpers.mjs'
import { clusterUrl, startCluster } from '../support/cluster.mjs'
import { freePort } from '../support/processes.mjs'
import { startRedis } from '../support/redis.mjs'

const password = randomUUID()
const cluster = await startCluster({ password })
const service = new RedisService({ url: cluster.url })
const [slotA, slotB, slotC] = cluster.firstSlots

after(async () => {
  await service.disconnect()
  await cluster.close()
})
beforeEach(() => cluster.empty())

const numbers = (count) => Array.from({ length: count }, (_, index) => index)
/** How many keys each primary has. */
const sizes = async () => Promise.all((await cluster.primaries()).map((node) => node.command('DBSIZE')))
/** Fails unless what was stored lies on every primary: only then does a test say anything about a cluster. */
const assertSpread = async () =>
  assert.ok(
    (await sizes()).every((size) => size > 0),
    'it lies on some nodes only',
  )

async function withService(options, run) {
  const other = new RedisService({ url: cluster.url, ...options })
  try {
    return await run(other)
  } finally {
    await other.disconnect()
  }
}

describe('on a cluster, every feature works over all nodes:', () => {
  test('sessions, with their tags and their users', async () => {
    const sessions = new SessionManager(service)
    const ids = await Promise.all(
      numbers(40).map((n) => sessions.createSession(`u${n % 2}`, { n }, { tags: [`tag${n % 4}`] })),
    )
    await assertSpread()
    const read = await Promise.all(ids.map((id) => sessions.getSession(id)))
    assert.deepEqual(
      read.map(({ userId, n }) => [userId, n]),
      numbers(40).map((n) => [`u${n % 2}`, n]),
    )
    assert.deepEqual(await Promise.all(ids.map((id) => sessions.updateSession(id, { more: id }))), Array(40).fill(true))
    assert.equal((await sessions.getSession(ids[7])).more, ids[7])
    assert.equal((await sessions.listSessions('u1')).length, 20)
    assert.equal(await sessions.destroyByTag('tag0'), 10)
    assert.equal(await sessions.invalidateUser('u0'), 10)
    assert.equal(await sessions.invalidateUser('u1'), 20)
    assert.deepEqual(await Promise.all(ids.map((id) => sessions.getSession(id))), Array(40).fill(null))
  })

  test('validated sessions', async () => {
    const sessions = new SessionManager(service)
    const load = (hash) => ({ id: 'u1', hash })
    const tokens = numbers(20).map(() => randomUUID())
    const first = await Promise.all(tokens.map((token) => sessions.validateSession(token, { load })))
    const fail = () => assert.fail('it was kept')
    assert.deepEqual(await Promise.all(tokens.map((token) => sessions.validateSession(token, { load: fail }))), first)
    assert.equal(new Set(first.map(({ hash }) => hash)).size, 20)
  })

  test('the cache: many at once, by tag and by pattern', async () => {
    const cache = new ApiCache(service)
    const kind = (n) => (n % 2 ? 'user' : 'item')
    const key = (n) => `${kind(n)}:${n}`
    await cache.setMany(numbers(60).map((n) => ({ key: key(n), value: { n }, tags: [`third${n % 3}`] })))
    await assertSpread()
    const keys = [...numbers(60).map(key), 'none']
    assert.deepEqual(await cache.getMany(keys), [...numbers(60).map((n) => ({ n })), null])
    await cache.invalidateByTag('third0')
    const left = numbers(60).filter((n) => n % 3 !== 0)
    assert.deepEqual(
      (await cache.getMany(keys)).filter(Boolean),
      left.map((n) => ({ n })),
    )
    assert.equal(await cache.getOrSet(key(0), () => 'loaded anew'), 'loaded anew')
    // SCAN returns the keys of one node: only asking each finds all.
    assert.equal(await cache.invalidateByPattern('user:*'), 30)
    assert.deepEqual((await Promise.all(numbers(60).map((n) => cache.get(key(n))))).filter(Boolean), [
      'loaded anew',
      ...left.filter((n) => kind(n) === 'item').map((n) => ({ n })),
    ])
    assert.equal(await cache.invalidate(key(0)), 1)
  })

  test('limits', async () => {
    const limiter = new RateLimiter(service)
    const who = numbers(20).map((n) => `ip${n}`)
    const asked = numbers(5).flatMap(() => who)
    const results = await Promise.all(asked.map((id) => limiter.checkRateLimit(id, 3, 60)))
    await assertSpread()
    assert.equal(results.filter(({ allowed }) => allowed).length, 60)
    assert.ok(results.every(({ source }) => source === 'store'))
    assert.equal(await limiter.resetRateLimit('ip3'), 1)
    assert.equal((await limiter.checkRateLimit('ip3', 3, 60)).remaining, 2)
    assert.equal(await limiter.checkLimit(limiter.keyForRoute('::1', '/a'), 1, 60), true)
  })

  test('locks', async () => {
    const locks = new DistributedLock(service)
    const tokens = await Promise.all(numbers(20).map((n) => locks.acquireLock(`r${n}`)))
    await assertSpread()
    assert.equal(new Set(tokens).size, 20)
    assert.deepEqual(await Promise.all(numbers(20).map((n) => locks.acquireLock(`r${n}`))), Array(20).fill(null))
    assert.equal(await locks.extendLock('r1', tokens[1], 60), true)
    assert.equal(await locks.releaseLock('r1', tokens[2]), false)
    const released = await Promise.all(tokens.map((token, n) => locks.releaseLock(`r${n}`, token)))
    assert.deepEqual(released, Array(20).fill(true))
    assert.equal(await locks.withLock('r5', () => 'done'), 'done')
  })

  test('rooms', async () => {
    const rooms = new RealtimeDataManager(service)
    const names = numbers(12).map((n) => `room${n}`)
    await Promise.all(names.map((room) => rooms.addUserToRoom(room, 'u1', { room })))
    await Promise.all(names.map((room) => rooms.storeMessage(room, { text: `hello ${room}` })))
    await assertSpread()
    for (const room of names) {
      assert.equal((await rooms.getRoomUsers(room)).u1.room, room)
      assert.equal((await rooms.getRecentMessages(room))[0].text, `hello ${room}`)
      assert.equal(await rooms.removeUserFromRoom(room, 'u1'), 1)
    }
  })

  test('jobs that repeat', async () => {
    await withService({}, async (other) => {
      const seen = []
      const queues = numbers(12).map((n) => other.queue(`q${n}`))
      for (const queue of queues) {
        queue.process((job) => seen.push(`${queue.name} ${job.id}`))
        await queue.repeat('r', { everyMs: 200, limit: 2 }, 'tick', {}, { group: 'g' })
      }
      await assertSpread()
      await until('each has fired', () => seen.length === 2 * queues.length)
      assert.equal(new Set(seen).size, seen.length)
      for (const queue of queues) assert.equal((await queue.repeats())[0].nextAt, null)
    })
  })

  test('messages, whichever nodes both sides are connected to', async () => {
    const seen = []
    const listeners = cluster.nodes.map((node) => new RedisService({ url: cluster.urlOf([node]) }))
    for (const [index, listener] of listeners.entries()) {
      await listener.subscribe('news', (value) => seen.push(`${index} plain ${value}`))
      await listener.subscribe('n*s', (value) => seen.push(`${index} pattern ${value}`), { pattern: true })
    }
    for (const n of numbers(3)) await listeners[n].publish('news', n)
    await until('all have heard all', () => seen.length >= 18)
    const expected = numbers(3).flatMap((n) =>
      numbers(3).flatMap((index) => [`${index} plain ${n}`, `${index} pattern ${n}`]),
    )
    assert.deepEqual(seen.sort(), expected.sort())
    await Promise.all(listeners.map((listener) => listener.disconnect()))
  })
})

describe('on a cluster, the raw client', () => {
  test('sends each call of a tick to the node of its key', async () => {
    const keys = numbers(200).map((n) => `k${n}`)
    assert.deepEqual(await Promise.all(keys.map((key) => service.set(key, `v-${key}`))), Array(200).fill('OK'))
    await assertSpread()
    const values = await Promise.all(keys.map((key) => service.get(key)))
    assert.deepEqual(
      values,
      keys.map((key) => `v-${key}`),
    )
  })

  test('splits commands over many keys by node and joins the replies in order', async () => {
    const client = await rawClient(service)
    const keys = numbers(100).map((n) => `k${n}`)
    await Promise.all(keys.map((key) => service.set(key, `v-${key}`)))
    await assertSpread()
    assert.equal(await client.dbSize(), 100)
    assert.equal(
      (await sizes()).reduce((sum, size) => sum + size),
      100,
    )
    const asked = [...keys, 'none', 'k5', 'k5']
    assert.deepEqual(await client.mGet(asked), [...keys.map((key) => `v-${key}`), null, 'v-k5', 'v-k5'])
    assert.equal(await client.exists(asked), 102)
    assert.equal(await service.exists('k1', 'k2', 'none'), 2)
    assert.equal(await service.del('k1', 'k2', 'k3', 'none'), 3)
    assert.equal(await client.unlink(keys), 97)
    assert.equal(await client.dbSize(), 0)
  })

  test('walks the keys of every node', async () => {
    const client = await rawClient(service)
    const keys = numbers(300).map((n) => `walk:${n}`)
    await Promise.all([...keys, 'other'].map((key) => service.set(key, '1')))
    const found = new Set()
    let cursor = '0'
    do {
      const page = await client.scan(cursor, { MATCH: 'walk:*', COUNT: 50 })
      for (const key of page.keys) found.add(key)
      cursor = page.cursor
    } while (cursor !== '0')
    assert.deepEqual([...found].sort(), keys.sort())
  })

  test('empties every node', async () => {
    const client = await rawClient(service)
    for (const empty of ['flushAll', 'flushDb']) {
      await Promise.all(numbers(50).map((n) => service.set(`k${n}`, '1')))
      await assertSpread()
      assert.equal(await client[empty](), 'OK')
      assert.deepEqual(await sizes(), [0, 0, 0])
    }
  })

  test('sends any command to the node of its key, and scripts to the node of theirs', async () => {
    const client = await rawClient(service)
    for (const slot of [slotA, slotB, slotC]) {
      const key = cluster.keyIn(slot)
      assert.equal(await client.sendCommand(['SET', key, 'x']), 'OK')
      assert.equal(await client.sendCommand(['STRLEN', key]), 1)
      assert.equal(await client.eval("return redis.call('GET', KEYS[1]) .. ARGV[1]", 1, key, '!'), 'x!')
    }
    await assertSpread()
    assert.equal(await client.sendCommand(['PING']), 'PONG')
    assert.match(await client.sendCommand(['CLUSTER', 'INFO']), /cluster_state:ok/)
    assert.match(await client.info('server'), /redis_version/)
  })

  test('refuses what needs two slots, says so, and does nothing', async () => {
    const client = await rawClient(service)
    const [a, b] = [cluster.keyIn(slotA), cluster.keyIn(slotB)]
    const [c, d] = [cluster.keyIn(slotA, 'c'), cluster.keyIn(slotA + 1, 'd')]
    for (const [one, other] of [
      [a, b],
      // The same node, and yet two slots.
      [c, d],
    ]) {
      const script = "redis.call('SET', KEYS[1], '1') return redis.call('SET', KEYS[2], '1')"
      for (const ask of [
        () => client.eval(script, 2, one, other),
        // It would be done for some of its keys only, where no node sees all.
        () => client.mSet({ [one]: '1', [other]: '1' }),
        () => client.sendCommand(['RENAME', one, other]),
        () => client.multi().set(one, '1').set(other, '1').exec(),
      ]) {
        const error = await refuses(ask(), 'E_UNSUPPORTED', /slot.*\{a\}:x/)
        assert.equal(error.retryable, false)
      }
    }
    assert.deepEqual(await sizes(), [0, 0, 0])
  })

  test('runs a transaction within one slot', async () => {
    const client = await rawClient(service)
    for (const slot of [slotA, slotB, slotC]) {
      const [n, list] = [cluster.keyIn(slot, 'n'), cluster.keyIn(slot, 'list')]
      const results = await client.multi().incr(n).incrBy(n, 41).rPush(list, 'a', 'b').get(list).exec()
      assert.deepEqual(
        results.slice(0, 3).map(([error, value]) => [error, value]),
        [
          [null, 1],
          [null, 42],
          [null, 2],
        ],
      )
      assertTyped(results[3][0], 'E_WRONG_TYPE')
    }
  })

  test('gives each call of a tick its own result, errors too', async () => {
    const lists = [slotA, slotB, slotC].map((slot) => cluster.keyIn(slot, 'list'))
    const client = await rawClient(service)
    for (const list of lists) await client.rPush(list, 'x')
    const calls = numbers(60).map((n) => (n % 3 ? service.set(`k${n}`, String(n)) : client.incr(lists[(n % 9) / 3])))
    const settled = await Promise.allSettled(calls)
    for (const [n, { value, reason }] of settled.entries()) {
      if (n % 3) assert.equal(value, 'OK')
      else assertTyped(reason, 'E_WRONG_TYPE')
    }
  })
})

describe('on a cluster, a slot that moves', () => {
  const values = (keys) => keys.map((key) => `v-${key}`)
  const keysIn = (slot) => numbers(8).map((n) => cluster.keyIn(slot, `m${n}`))

  test('is read and written rightly before, while and after its keys move', async () => {
    const slot = slotA + 7
    const keys = keysIn(slot)
    const [from, to] = cluster.nodes
    const limiter = new RateLimiter(service, { prefix: 'l:' })
    await Promise.all(keys.map((key) => service.set(key, `v-${key}`)))
    await cluster.begin(slot, from, to)
    for (const [moved, key] of keys.entries()) {
      await cluster.moveKey(key, from, to)
      const read = await Promise.all(keys.map((key) => service.get(key)))
      assert.deepEqual(read, values(keys), `with ${moved + 1} keys moved`)
      // New keys of a slot that moves are made at its new place.
      const fresh = cluster.keyIn(slot, `fresh${moved}`)
      assert.equal(await service.set(fresh, 'new'), 'OK')
      assert.equal(await service.get(fresh), 'new')
    }
    await cluster.settle(slot, from, to)
    assert.deepEqual(await Promise.all(keys.map((key) => service.get(key))), values(keys))
    await cluster.migrate(slot, to, from, { keys: 100 })
    assert.deepEqual(await Promise.all(keys.map((key) => service.get(key))), values(keys))
    assert.equal((await limiter.checkRateLimit('after', 5, 60)).source, 'store')
  })

  test('settles calls on several of its keys once they are on one node', async () => {
    const slot = slotB + 7
    const keys = keysIn(slot)
    const [, from, to] = cluster.nodes
    const client = await rawClient(service)
    await client.mSet(Object.fromEntries(keys.map((key) => [key, `v-${key}`])))
    await cluster.begin(slot, from, to)
    await cluster.moveKey(keys[0], from, to)
    await from.command('CONFIG', 'RESETSTAT')
    const divided = client.mGet(keys)
    divided.catch(() => {})
    await until('the server sent it away', async () =>
      /errorstat_(TRYAGAIN|ASK)/.test(await from.command('INFO', 'errorstats')),
    )
    for (const key of keys.slice(1)) await cluster.moveKey(key, from, to)
    await cluster.settle(slot, from, to)
    assert.deepEqual(await divided, values(keys))
    await cluster.migrate(slot, to, from, { keys: 100 })
  })

  test('keeps calls of one tick in order that it sends back in different ways', async () => {
    const slot = slotB + 8
    const [one, other] = keysIn(slot)
    const [, from, to] = cluster.nodes
    const client = await rawClient(service)
    await client.mSet({ [one]: 'old', [other]: 'old' })
    await cluster.begin(slot, from, to)
    await cluster.moveKey(one, from, to)
    for (const node of [from, to]) await node.command('CONFIG', 'RESETSTAT')
    // The writes are on two nodes and have to wait; the read between them is sent on at once, and waits for the first.
    const calls = [
      client.mSet({ [one]: 'first', [other]: 'first' }),
      client.get(one),
      client.mSet({ [one]: 'second', [other]: 'second' }),
      client.get(one),
    ]
    const settled = Promise.allSettled(calls)
    await until('the servers sent both away', async () => {
      // Redis 6.2 sends the writes to the node that imports the slot, which sends them away.
      const errors = (await from.command('INFO', 'errorstats')) + (await to.command('INFO', 'errorstats'))
      return /errorstat_TRYAGAIN/.test(errors) && /errorstat_ASK/.test(errors)
    })
    await cluster.moveKey(other, from, to)
    await cluster.settle(slot, from, to)
    assert.deepEqual(
      (await settled).map(({ value, reason }) => value ?? reason.code),
      ['OK', 'first', 'OK', 'second'],
    )
    await cluster.migrate(slot, to, from, { keys: 100 })
  })
})

describe('a cluster is reached', () => {
  test('through one of its nodes, and past seeds that are dead', async () => {
    const dead = await Promise.all(numbers(2).map(() => freePort()))
    for (const url of [
      cluster.urlOf([cluster.nodes[1]]),
      clusterUrl([...dead, cluster.nodes[2].port], { password }),
      clusterUrl([cluster.nodes[0].port, ...dead], { password }),
    ]) {
      await withService({ url }, async (other) => {
        await Promise.all(numbers(30).map((n) => other.set(`k${n}`, url)))
        assert.deepEqual(await Promise.all(numbers(30).map((n) => other.get(`k${n}`))), Array(30).fill(url))
        assert.equal(other.isConnected, true)
      })
      await assertSpread()
    }
  })

  test('not at all where no seed responds, or none is of a cluster', async () => {
    const port = await freePort()
    await withService({ url: clusterUrl([port]), timeoutMs: 5000 }, async (other) => {
      await refuses(other.get('k'), 'E_UNAVAILABLE', new RegExp(String(port)))
      assert.equal((await other.healthCheck()).status, 'disconnected')
    })
    const single = await startRedis()
    await withService({ url: clusterUrl([single.port]), timeoutMs: 5000 }, async (other) => {
      const error = await refuses(other.get('k'), undefined, /cluster/i)
      assert.ok(['E_UNAVAILABLE', 'E_UNSUPPORTED', 'E_SERVER'].includes(error.code), error.code)
    })
    await single.kill()
  })

  test('with a password or as an ACL user, and not without', async () => {
    const secret = randomUUID()
    await cluster.everywhere('ACL', 'SETUSER', 'app', 'on', `>${secret}`, '~*', '&*', '+@all')
    const ports = cluster.nodes.map(({ port }) => port)
    const rounds = async (other) => {
      const keys = numbers(30).map((n) => `k${n}`)
      await Promise.all(keys.map((key) => other.set(key, key)))
      assert.deepEqual(await Promise.all(keys.map((key) => other.get(key))), keys)
    }
    await withService({ url: clusterUrl(ports, { username: 'app', password: secret }) }, rounds)
    await withService({ url: clusterUrl(ports), username: 'app', password: secret }, rounds)
    await withService({ url: clusterUrl(ports), password }, rounds)
    for (const options of [
      { url: clusterUrl(ports, { password: 'wrong' }) },
      { url: clusterUrl(ports, { username: 'app', password: 'wrong' }) },
      { url: clusterUrl(ports) },
    ]) {
      await withService(options, async (other) => {
        const error = await refuses(other.get('k'), 'E_AUTH')
        assert.ok(!error.message.includes('wrong'), error.message)
      })
    }
  })
})
