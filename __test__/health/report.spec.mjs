import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { describe, test } from 'node:test'

import { RedisService, healthCheck } from 'cinnabar'

import { runJson, until } from '../helpers.mjs'
import { freePorts } from '../support/cluster.mjs'
import { engines, freePort, startRedis } from '../support/engines.mjs'
import { fakeServer } from '../support/fake-server.mjs'
import { has, withDebug } from '../support/server-features.mjs'

const PARTS = [
  'status',
  'redis',
  'servers',
  'sessionCache',
  'cache',
  'rateLimiter',
  'breaker',
  'performance',
  'lastError',
  'reconnects',
  'alerts',
  'timestamp',
]
const CODE = /^[a-z]+: ./

/** A check whose parts are as documented, whatever it found. A busy machine makes no server slow, unless `slowMs` says so. */
async function check(service, options) {
  const isValid = options === undefined || options?.constructor === Object
  const health = await healthCheck(service, isValid ? { slowMs: 60_000, ...options } : options)
  assert.deepEqual(Object.keys(health).sort(), [...PARTS].sort())
  for (const alert of health.alerts) assert.match(alert, CODE)
  assert.equal(new Date(health.timestamp).toISOString(), health.timestamp)
  if (health.status === 'healthy') assert.deepEqual(health.alerts, [])
  else assert.ok(health.alerts.length > 0)
  return health
}

/** The codes of a report's alerts. */
const codes = (health) => health.alerts.map((alert) => alert.split(':', 1)[0])

/** A server with a service on it, both ended after the test. */
async function onServer(t, { args, ...options } = {}) {
  const server = await startRedis({ args })
  const service = new RedisService({ url: server.url, ...options })
  t.after(async () => {
    await service.disconnect()
    await server.kill()
  })
  return { server, service }
}

for (const engine of engines) {
  describe(`health on ${engine.name}`, () => {
    test('a healthy service, with every part of the report', async () => {
      const service = await engine.makeService()
      await service.cache.set('k', 1)
      await service.cache.get('k')
      await service.cache.get('none')
      const health = await check(service)
      assert.equal(health.status, 'healthy', JSON.stringify(health.alerts))
      assert.equal(health.redis.connected, true)
      assert.equal(health.redis.engine, engine.kind)
      assert.equal(health.redis.topology, engine.kind === 'memory' ? 'memory' : 'single')
      assert.match(health.redis.version, /^\d+\.\d+/)
      assert.ok(health.redis.usedMemory > 0)
      assert.ok(Number.isInteger(health.redis.clients))
      assert.deepEqual(health.cache.metrics, { hits: 1, staleHits: 0, misses: 1, hitRate: 0.5, errors: 0 })
      assert.deepEqual(Object.keys(health.sessionCache.metrics).sort(), ['errors', 'hitRate', 'hits', 'misses'])
      assert.deepEqual(Object.keys(health.sessionCache.pool).sort(), ['available', 'pending', 'size'])
      assert.equal(health.sessionCache.pool.size, engine.kind === 'memory' ? 0 : 1)
      assert.equal(health.sessionCache.pool.pending, 0)
      assert.equal(health.rateLimiter.available, true)
      assert.deepEqual(Object.keys(health.breaker).sort(), ['calls', 'failed', 'retryInMs', 'slow', 'state'])
      assert.equal(health.breaker.state, 'closed')
      for (const what of ['ping', 'set', 'get']) assert.ok(health.performance[what] >= 0, what)
      assert.deepEqual([health.lastError, health.reconnects], [null, 0])
      const place = ({ host, port, role, connected, replicas }) => [host, port, role, connected, replicas]
      const servers = engine.kind === 'memory' ? [] : [['127.0.0.1', engine.server.port, 'primary', true, 0]]
      assert.deepEqual(health.servers.map(place), servers)
      await service.disconnect()
    })

    test('leaves no key behind for long', async () => {
      const service = await engine.makeService()
      await check(service)
      const client = service.getClient()
      const { keys } = await client.scan(0, { COUNT: 100 })
      assert.equal(keys.length, 1)
      const ttl = await client.pTTL(keys[0])
      assert.ok(ttl > 0 && ttl <= 10_000, `${keys[0]}: ${ttl}`)
      await service.disconnect()
    })

    test('the default service, by itself and with options', async () => {
      const both = await runJson(
        `import { healthCheck } from 'cinnabar'
         console.log(JSON.stringify([await healthCheck(), await healthCheck(undefined, { timeoutMs: 1500 })]))`,
        { env: engine.env() },
      )
      for (const health of both) assert.deepEqual([health.status, health.redis.engine], ['healthy', engine.kind])
    })
  })
}

describe('health of a server that does not respond', () => {
  test('one that is not there is down, and nothing throws', async () => {
    const service = new RedisService({ url: `redis://127.0.0.1:${await freePort()}` })
    const started = performance.now()
    const health = await check(service)
    assert.ok(performance.now() - started < 2500)
    assert.equal(health.status, 'down')
    assert.equal(health.redis.connected, false)
    assert.equal(codes(health)[0], 'unavailable')
    assert.equal(health.lastError.code, 'E_UNAVAILABLE')
    assert.ok(Math.abs(Date.now() - Date.parse(health.lastError.at)) < 10_000)
    assert.deepEqual(
      health.servers.map(({ connected }) => connected),
      [false],
    )
    assert.equal((await service.healthCheck()).status, 'disconnected')
    await service.disconnect()
  })

  test('what is no service, or has been disconnected, is down too', async () => {
    for (const nothing of [{}, null, 7]) {
      const health = await check(nothing)
      assert.deepEqual([health.status, ...codes(health)], ['down', 'settings'])
    }
    const service = new RedisService({ url: 'memory:' })
    await service.disconnect()
    const health = await check(service)
    assert.equal(health.status, 'down')
    assert.equal(codes(health)[0], 'closed')
    assert.equal(service.isConnected, false)
  })

  test('invalid options are an alert, not an error', async () => {
    const service = new RedisService({ url: 'memory:' })
    const bad = [{ timeoutMs: 0 }, { timeoutMs: NaN }, { timeoutMs: '5' }, { slowMs: -1 }, { slow: 1 }, 7, null]
    for (const options of bad) {
      const health = await check(service, options)
      assert.deepEqual([health.status, ...codes(health)], ['down', 'settings'], JSON.stringify(options))
    }
    await service.disconnect()
  })

  test('one that hangs is reported in time, and healthy again when it is back', async (t) => {
    const { server, service } = await onServer(t, { timeoutMs: 10_000 })
    assert.equal((await check(service)).status, 'healthy')
    server.pause()
    const started = performance.now()
    const timed = async (work) => ({ result: await work, took: performance.now() - started })
    const [soon, late, ping] = await Promise.all([
      timed(check(service, { timeoutMs: 200 })),
      timed(check(service)),
      timed(service.healthCheck()),
    ])
    assert.ok(soon.took < 700 && late.took < 2500 && ping.took < 2500, JSON.stringify([soon, late, ping]))
    for (const { result } of [soon, late]) {
      assert.deepEqual([result.status, result.redis.connected, result.performance.ping], ['down', false, null])
      assert.equal(result.alerts.length, 1)
    }
    assert.deepEqual([codes(soon.result)[0], soon.result.lastError.code], ['timeout', 'E_TIMEOUT'])
    // By then the connection may have been given up.
    assert.ok(['timeout', 'unavailable'].includes(codes(late.result)[0]), late.result.alerts[0])
    assert.equal(ping.result.status, 'disconnected')
    server.resume()
    await until('it is healthy again', async () => (await check(service)).status === 'healthy')
  })

  test('one that is killed is down, and well again when it is back', async (t) => {
    const { server, service } = await onServer(t)
    assert.equal((await check(service)).status, 'healthy')
    await server.kill()
    const health = await check(service)
    assert.deepEqual([health.status, health.redis.connected, health.reconnects], ['down', false, 0])
    await server.start()
    let after
    await until('it is healthy again', async () => (after = await check(service)).status === 'healthy')
    assert.equal(after.reconnects, 1)
    assert.ok(after.lastError.code && after.lastError.at >= health.timestamp, JSON.stringify(after.lastError))
  })

  test('one that is not to be reached is not hidden by the empty values of development', async (t) => {
    const url = `redis://127.0.0.1:${await freePort()}`
    const service = new RedisService({ url, onUnavailable: 'empty', connectTimeoutMs: 500 })
    t.mock.method(console, 'warn', () => {})
    assert.equal((await service.healthCheck()).status, 'disconnected')
    assert.equal((await check(service)).status, 'down')
    await service.disconnect()
  })

  test('one that refuses the password is down, and no password is shown', async (t) => {
    const secret = () => randomBytes(18).toString('hex')
    const [right, wrong] = [secret(), secret()]
    const server = await startRedis({ args: ['--requirepass', right], password: right })
    t.after(() => server.kill())
    const url = `redis://127.0.0.1:${server.port}`
    for (const password of [wrong, undefined]) {
      const service = new RedisService({ url, password })
      const health = await check(service)
      assert.equal(health.status, 'down')
      assert.equal(codes(health)[0], 'auth', health.alerts[0])
      assert.equal(health.lastError.code, 'E_AUTH')
      const text = JSON.stringify(health)
      assert.ok(!text.includes(wrong) && !text.includes(right))
      await service.disconnect()
    }
    const service = new RedisService({ url, password: right })
    assert.equal((await check(service)).status, 'healthy')
    await service.disconnect()
  })

  test('one that still loads its data is down until it has', async (t) => {
    // So slow a disk that the test can poll while it reads, and so small a step that the server replies meanwhile.
    const slow = [...withDebug, '--key-load-delay', '1000', '--rdbcompression', 'no']
    const step = has.loadingInterval ? ['--loading-process-events-interval-bytes', '1024'] : []
    const { server, service } = await onServer(t, { args: [...slow, ...step] })
    assert.equal((await check(service)).status, 'healthy')
    const value = 'x'.repeat(has.loadingInterval ? 100 : 10_000)
    await Promise.all(Array.from({ length: 2000 }, (_, i) => service.set(`key:${i}`, value)))
    const loaded = server.command('DEBUG', 'RELOAD')
    loaded.catch(() => {})
    let health
    await until('it loads', async () => codes((health = await check(service)))[0] === 'loading')
    assert.equal(health.status, 'down')
    assert.match(health.alerts[0], /^loading: the server has loaded \d+ % of its data/)
    await loaded
    await until('it is healthy again', async () => (await check(service)).status === 'healthy')
  })
})

describe('the alert for a server that refuses to PING', () => {
  for (const [said, code] of [
    ['LOADING Redis is loading the dataset in memory', 'loading'],
    ['BUSY Redis is busy running a script.', 'busy'],
    ['MASTERDOWN Link with MASTER is down.', 'replication'],
    ['CLUSTERDOWN Hash slot not served', 'cluster'],
    // The words of a text are no code.
    ['PROXYDOWN the node is LOADING, BUSY', 'unavailable'],
    ['NOPROTO after NOPERM', 'unavailable'],
  ]) {
    for (const word of ['AUTH', 'PING']) {
      test(`is ${code} for ${said}, in reply to ${word}`, async (t) => {
        const server = await fakeServer(([name]) => (name === word ? `-${said}\r\n` : '+OK\r\n'))
        const url = `redis://:password@127.0.0.1:${server.port}`
        const service = new RedisService({ url, log: false })
        t.after(async () => {
          await service.disconnect()
          await server.close()
        })
        const health = await check(service, { timeoutMs: 5000 })
        assert.equal(health.status, 'down')
        assert.equal(codes(health)[0], code, health.alerts[0])
      })
    }
  }
})

describe('health of a server that responds, but', () => {
  test('evicts, with its memory nearly full', async (t) => {
    const { service } = await onServer(t, { args: ['--maxmemory', '5mb', '--maxmemory-policy', 'allkeys-lru'] })
    assert.equal((await check(service)).status, 'healthy')
    for (let i = 0; i < 60; i++) await service.set(`big:${i}`, 'x'.repeat(100_000), { EX: 100 })
    const health = await check(service)
    assert.equal(health.status, 'degraded')
    assert.deepEqual(codes(health), ['memory', 'evictions'])
    assert.equal(health.redis.maxMemory, 5 * 1024 * 1024)
    assert.ok(health.redis.memoryUsage > 0.9 && health.redis.evictedKeys > 0)
    assert.match(health.alerts[0], /^memory: (9\d|100) % of maxmemory is used$/)
    assert.equal(health.alerts[1], `evictions: ${health.redis.evictedKeys} keys evicted since the last check`)
    // What was evicted before is no alert for ever.
    await service.getClient().sendCommand(['FLUSHALL'])
    const after = await check(service)
    assert.equal(after.status, 'healthy', JSON.stringify(after.alerts))
  })

  test('evicts within this process', async (t) => {
    const service = new RedisService({ url: `memory:${randomUUID()}`, maxBytes: 1_048_576 })
    t.after(() => service.disconnect())
    assert.equal((await check(service)).status, 'healthy')
    for (let i = 0; i < 30; i++) await service.set(`big:${i}`, 'x'.repeat(100_000), { EX: 100 })
    const health = await check(service)
    assert.equal(health.status, 'degraded')
    assert.ok(codes(health).includes('evictions'), JSON.stringify(health.alerts))
    assert.ok(health.redis.maxMemory === 1_048_576 && health.redis.evictedKeys > 0)
  })

  test('was started anew: its counters begin at zero', async (t) => {
    const { server, service } = await onServer(t, { args: ['--maxmemory', '5mb', '--maxmemory-policy', 'allkeys-lru'] })
    assert.equal((await check(service)).status, 'healthy')
    await server.kill()
    await server.start()
    await until('it is there again', async () => (await service.healthCheck()).status === 'connected')
    for (let i = 0; i < 60; i++) await service.set(`big:${i}`, 'x'.repeat(100_000), { EX: 100 })
    const health = await check(service)
    assert.ok(health.redis.evictedKeys > 0)
    assert.ok(!codes(health).includes('evictions'), JSON.stringify(health.alerts))
  })

  test('takes no writes', async (t) => {
    const { service } = await onServer(t, { args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
    const health = await check(service)
    assert.equal(health.status, 'degraded')
    assert.equal(health.redis.connected, true)
    assert.deepEqual(codes(health), ['memory', 'write'])
    assert.equal(health.performance.set, null)
    assert.equal(health.rateLimiter.available, false)
  })

  test('refuses connections', async (t) => {
    const { server, service } = await onServer(t)
    assert.equal((await check(service)).status, 'healthy')
    await service.getClient().sendCommand(['CONFIG', 'SET', 'maxclients', '1'])
    const refused = connect(server.port, '127.0.0.1').resume()
    await once(refused, 'close')
    const health = await check(service)
    assert.equal(health.status, 'degraded')
    assert.deepEqual(codes(health), ['connections'])
    assert.match(health.alerts[0], /^connections: the server rejected [1-9]\d* since the last check$/)
    assert.equal((await check(service)).status, 'healthy')
  })

  test('is slow', async (t) => {
    const { service } = await onWay(t, { eachMs: 55 })
    const health = await check(service, { slowMs: 100 })
    assert.equal(health.status, 'degraded')
    assert.deepEqual(codes(health), ['slow'])
    assert.ok(health.performance.ping >= 100, `${health.performance.ping}`)
  })

  test('takes its time only to connect to: that is not slow', async (t) => {
    const { service } = await onWay(t, { connectMs: 1000 })
    const health = await check(service, { slowMs: 900 })
    assert.equal(health.status, 'healthy', JSON.stringify(health.alerts))
    const { status, alerts } = await check(service, { slowMs: 0.001 })
    assert.equal(status, 'degraded')
    assert.match(alerts[0], /^slow: a PING took [\d.]+ ms, more than 0.001 ms$/)
  })

  test('lets its user neither ask nor write anywhere: what it does not report is null', async (t) => {
    const { server } = await onServer(t)
    const password = randomBytes(18).toString('hex')
    const rules = ['on', `>${password}`, '~cinnabar:health:*', '~session:*', '+@all']
    await server.command('ACL', 'SETUSER', 'app', ...rules, '-info')
    const url = `redis://127.0.0.1:${server.port}`
    const service = new RedisService({ url, username: 'app', password })
    const health = await check(service)
    assert.equal(health.status, 'healthy', JSON.stringify(health.alerts))
    assert.deepEqual([health.redis.version, health.redis.usedMemory], [null, null])
    assert.ok(health.performance.set > 0)
    await server.command('ACL', 'SETUSER', 'app', 'resetkeys', '~session:*')
    const without = await check(service)
    assert.deepEqual([without.status, ...codes(without)], ['degraded', 'write'])
    assert.ok(!JSON.stringify([health, without]).includes(password))
    await service.disconnect()
  })
})

describe('health and the breaker', () => {
  test('an open breaker is reported, and closes when the server is back', async (t) => {
    const { server, service } = await onServer(t, { timeoutMs: 100 })
    await service.connect()
    assert.equal((await check(service)).status, 'healthy')
    server.pause()
    await until('it opens', async () => {
      await Promise.allSettled(Array.from({ length: 10 }, () => service.get('k')))
      return (await check(service)).breaker.state === 'open'
    })
    const health = await check(service)
    assert.equal(health.status, 'down')
    // Refused at once: a server that was asked would have led to a timeout.
    assert.deepEqual(codes(health), ['unavailable', 'breaker'])
    assert.match(health.alerts[1], /^breaker: calls are rejected; the next attempt is in \d+ s$/)
    assert.ok(health.breaker.retryInMs > 0 && health.breaker.retryInMs <= 30_000)
    assert.equal(health.servers[0].breaker, 'open')
    await server.kill()
    await server.start()
    let after
    await until('it closes', async () => (after = await check(service)).status === 'healthy')
    assert.deepEqual([after.breaker.state, after.breaker.retryInMs], ['closed', null])
  })

  test('is tried by checks alone: without other calls, it would stay open for ever', async (t) => {
    const breaker = { volume: 5, openMs: 50 }
    const { server, service } = await onServer(t, { timeoutMs: 100, breaker })
    await service.connect()
    server.pause()
    await Promise.allSettled(Array.from({ length: 10 }, () => service.get('k')))
    let tried
    await until('one of two checks tries it', async () => {
      const both = await Promise.all([check(service), check(service)])
      tried = both.find(({ breaker }) => breaker.state === 'half-open')
      return tried !== undefined
    })
    assert.equal(tried.status, 'down')
    assert.deepEqual(codes(tried), ['unavailable', 'breaker'])
    server.resume()
    await until('it closes', async () => (await check(service)).status === 'healthy')
  })

  test('no check opens it, whatever it meets', async (t) => {
    const { server, service } = await onServer(t, { timeoutMs: 100 })
    await service.connect()
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    await server.command('REPLICAOF', '127.0.0.1', await freePort())
    const many = () => Promise.all(Array.from({ length: 30 }, () => check(service)))
    for (const { status, breaker } of await many()) {
      assert.deepEqual([status, breaker.state, breaker.failed], ['degraded', 'closed', 0])
    }
    server.pause()
    for (const { status, breaker } of await many()) {
      assert.deepEqual([status, breaker.state, breaker.failed], ['down', 'closed', 0])
    }
    server.resume()
  })
})

describe('health of servers that belong together', () => {
  test('a replica that follows, and is gone', async (t) => {
    const { server, service } = await onServer(t, { args: ['--repl-diskless-sync-delay', '0'] })
    assert.equal((await check(service)).servers.length, 1)
    const replica = await startRedis({ args: ['--replicaof', '127.0.0.1', server.port] })
    t.after(() => replica.kill())
    let health
    await until('it follows', async () => (health = await check(service)).servers.some((one) => one.replicas === 1))
    assert.equal(health.status, 'healthy')
    const place = ({ host, port, role, connected, replicas }) => ({ host, port, role, connected, replicas })
    assert.deepEqual(health.servers.map(place), [
      { host: '127.0.0.1', port: server.port, role: 'primary', connected: true, replicas: 1 },
      { host: '127.0.0.1', port: replica.port, role: 'replica', connected: true, replicas: null },
    ])

    // Its own view, before and after it has lost its primary.
    const behind = new RedisService({ url: replica.url })
    let there
    await until('it says so too', async () => !codes((there = await check(behind))).includes('replication'))
    assert.deepEqual([there.servers[0].role, ...codes(there)], ['replica', 'write'])

    await replica.kill()
    await until('it is missed', async () => (health = await check(service)).status === 'degraded')
    assert.deepEqual(health.alerts, ['replicas: 0 of 1 remain'])
    await replica.start()
    await until('it follows again', async () => (await check(service)).status === 'healthy')

    await server.kill()
    await until('it knows that its primary is gone', async () => codes(await check(behind)).includes('replication'))
    assert.equal((await check(behind)).status, 'degraded')
    await behind.disconnect()
  })

  test('servers of a cluster that go one by one, and slots that no node serves', async (t) => {
    const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', '--repl-diskless-sync-delay', '0']
    const nodes = await Promise.all((await freePorts(3)).map((port) => startRedis({ port, args })))
    const [primary, replica, empty] = nodes
    t.after(() => Promise.all([primary.kill(), replica.kill(), empty.kill()]))
    await primary.command('CLUSTER', 'ADDSLOTS', ...Array.from({ length: 16_384 }, (_, slot) => slot))
    for (const { port } of nodes.slice(1)) await primary.command('CLUSTER', 'MEET', '127.0.0.1', port)
    const id = await primary.command('CLUSTER', 'MYID')
    await until('they know each other', async () => (await replica.command('CLUSTER', 'NODES')).includes(id))
    await replica.command('CLUSTER', 'REPLICATE', id)

    const service = new RedisService({ url: primary.url })
    let health
    await until('all follow', async () => {
      health = await check(service)
      return health.status === 'healthy' && health.servers.some(({ replicas }) => replicas === 1)
    })
    const roles = Object.fromEntries(health.servers.map(({ port, role, replicas }) => [port, [role, replicas]]))
    assert.deepEqual(roles, {
      [primary.port]: ['primary', 1],
      [replica.port]: ['replica', null],
      [empty.port]: ['primary', 0],
    })

    const name = ({ port }) => `127.0.0.1:${port}`
    await replica.kill()
    await until('the replica is missed', async () => (health = await check(service)).status === 'degraded')
    assert.deepEqual(health.alerts, [`replicas: ${name(replica)} is disconnected or still syncing`])
    await empty.kill()
    await until('the other is missed', async () => (health = await check(service)).alerts.length === 2)
    assert.ok(health.alerts.includes(`server: ${name(empty)} is disconnected`), JSON.stringify(health.alerts))
    assert.equal(health.status, 'degraded')

    await primary.command('CLUSTER', 'DELSLOTS', 7)
    await until('slots are missed', async () => codes((health = await check(service)))[0] === 'cluster')
    assert.deepEqual([health.status, health.redis.connected], ['down', true])
    await service.disconnect()
  })
})

/** A service that reaches its server by a way that takes `connectMs` to begin and then `eachMs` in each direction. */
async function onWay(t, { connectMs = 0, eachMs = 0 }) {
  const server = await startRedis()
  const way = createServer((near) => {
    near.pause()
    setTimeout(() => {
      const far = connect(server.port, '127.0.0.1')
      for (const [from, to] of [
        [near, far],
        [far, near],
      ]) {
        from.on('data', (chunk) => setTimeout(() => to.write(chunk), eachMs))
        from.on('close', () => to.destroy())
        from.on('error', () => to.destroy())
      }
      near.resume()
    }, connectMs)
  })
  way.listen(0, '127.0.0.1')
  await once(way, 'listening')
  const service = new RedisService({ url: `redis://127.0.0.1:${way.address().port}` })
  t.after(async () => {
    await service.disconnect()
    await server.kill()
    way.close()
  })
  return { service }
}
