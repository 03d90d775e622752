// What each feature does while its server cannot be reached: one that was stopped, one that hangs, one that is full.

import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { ApiCache, CinnabarError, DistributedLock, RateLimiter, RedisService, SessionManager } from 'cinnabar'

import { deferred, refuses, until } from '../helpers.mjs'
import { startRedis } from '../support/redis.mjs'

const AWAY = ['E_UNAVAILABLE', 'E_NOT_SENT', 'E_BACKPRESSURE', 'E_TIMEOUT', 'E_MAYBE_APPLIED']

const outages = [
  { name: 'is stopped', begin: (server) => server.stop(), end: (server) => server.start(), forgets: true },
  { name: 'hangs', begin: (server) => server.pause(), end: (server) => server.resume(), forgets: false },
]

const made = []
// Each warning comes once a process, so over all outages.
const skipped = []
after(() => Promise.all(made.map((service) => service.disconnect())))

function makeService(server, options) {
  const service = new RedisService({
    url: server.url,
    timeoutMs: 250,
    connectTimeoutMs: 250,
    retryAttempts: 0,
    // Services of one server share their breaker, which would remember the outage of the test before.
    breaker: false,
    onUnavailable: 'throw',
    log: false,
    ...options,
  })
  made.push(service)
  return service
}

/** The same with a connection: those with equal settings share one, and an earlier test has made the server go. */
async function connectedService(server, options) {
  const service = makeService(server, options)
  await fulfilled(() => service.connect())
  return service
}

/** A service for what a test needs first: on a busy machine a reply may take longer than the deadline that is tested. */
const patientService = (server) => connectedService(server, { timeoutMs: 10_000, connectTimeoutMs: 10_000 })

const patientCache = async (server) => new ApiCache(await patientService(server))

/** Asserts that each of these promises rejects for want of a server. They go out together, so that all cost one deadline. */
async function away(...promises) {
  const settled = await Promise.allSettled(promises)
  for (const [at, { status, value, reason }] of settled.entries()) {
    assert.equal(status, 'rejected', `number ${at} returned ${JSON.stringify(value)}`)
    assert.ok(reason instanceof CinnabarError && AWAY.includes(reason.code), `number ${at}: ${reason?.stack}`)
  }
}

/** Runs `during` while the server is away, with the list of what is warned of meanwhile. */
async function whileAway(outage, server, during) {
  const warnings = []
  const { warn } = console
  console.warn = (...args) => warnings.push(args.join(' '))
  await outage.begin(server)
  try {
    // What is sent before that may have been applied.
    if (outage.forgets) await until('the loss is noticed', () => made.every((service) => !service.isConnected))
    await during(warnings)
  } finally {
    await outage.end(server)
    console.warn = warn
  }
}

/** Calls until it succeeds: the connection is made again in the background. */
async function fulfilled(ask) {
  let result
  await until('the server responds again', async () => {
    try {
      result = await ask()
      return true
    } catch (error) {
      assert.ok(error instanceof CinnabarError && AWAY.includes(error.code), error.stack)
      return false
    }
  })
  return result
}

for (const outage of outages) {
  describe(`while the server ${outage.name}`, async () => {
    const server = await startRedis()
    after(() => server.stop())

    test('a limiter allows, refuses, or rejects, as its options say', async () => {
      const service = await connectedService(server)
      const [allow, deny, loud] = [undefined, { onUnavailable: 'deny' }, { onUnavailable: 'throw' }].map(
        (options) => new RateLimiter(service, options),
      )
      await until('the server responds', async () => (await allow.checkRateLimit('before', 5, 60)).source === 'store')
      await whileAway(outage, server, async () => {
        const [passed, passedToo, flag, refused, no] = await Promise.all([
          allow.checkRateLimit('user', 5, 60),
          allow.check('user', 'AUTH'),
          allow.checkLimit('key', 5, 60),
          deny.checkRateLimit('user', 5, 60),
          deny.checkLimit('key', 5, 60),
          away(loud.checkRateLimit('user', 5, 60), loud.checkLimit('key', 5, 60), allow.resetRateLimit('user')),
        ])
        const uncounted = { resetTime: undefined, resetMs: 0, retryAfterMs: 0, source: 'fallback' }
        assert.deepEqual(passed, { allowed: true, remaining: 5, limit: 5, ...uncounted })
        assert.deepEqual([passedToo.allowed, passedToo.source], [true, 'local'], 'attempts to sign in are counted')
        assert.deepEqual([refused.allowed, refused.remaining, refused.source], [false, 0, 'fallback'])
        assert.ok(refused.resetTime > Date.now(), 'a refusal says when to come back')
        assert.equal(refused.retryAfterMs, 60_000)
        assert.deepEqual([flag, no], [true, false])
      })
    })

    test('a limiter counts by itself, if its options say so', async () => {
      const service = await connectedService(server)
      const limiter = new RateLimiter(service, { onUnavailable: 'local' })
      const check = (limiter) => limiter.checkRateLimit('user', 3, 60)
      const patient = new RateLimiter(await patientService(server), { onUnavailable: 'local' })
      assert.deepEqual([(await check(patient)).source, (await check(patient)).remaining], ['store', 1])
      await whileAway(outage, server, async () => {
        const checks = await Promise.all(Array.from({ length: 6 }, () => check(limiter)))
        assert.deepEqual(new Set(checks.map(({ source }) => source)), new Set(['local']))
        assert.deepEqual(
          checks.map(({ allowed, remaining }) => [allowed, remaining]),
          [[true, 2], [true, 1], [true, 0], ...Array(3).fill([false, 0])],
        )
        const [{ resetTime }] = checks
        assert.ok(resetTime > Date.now() && resetTime <= Date.now() + 60_000)
        assert.deepEqual(new Set(checks.map((check) => check.resetTime)), new Set([resetTime]))
        assert.equal(checks[0].retryAfterMs, 0)
        assert.ok(checks[5].retryAfterMs > 0 && checks[5].retryAfterMs <= 60_000)
        assert.ok(Number(limiter.headers(checks[5])['Retry-After']) >= 1)

        // The count is the server's, not the object's; another server's is another.
        const others = [
          new RateLimiter(service, { onUnavailable: 'local' }),
          new RateLimiter(makeService(server), { onUnavailable: 'local' }),
          new RateLimiter(makeService(server, { db: 1 }), { onUnavailable: 'local' }),
          new RateLimiter(service, { onUnavailable: 'local', prefix: 'other:' }),
        ]
        const found = await Promise.all(others.map(check))
        assert.deepEqual(
          found.map(({ allowed }) => allowed),
          [false, false, true, true],
        )
        const flags = await Promise.all([1, 2, 3].map(() => limiter.checkLimit('rate_limit:flags', 2, 60)))
        assert.deepEqual(flags, [true, true, false])

        await away(limiter.resetRateLimit('user'))
        assert.equal((await check(limiter)).remaining, 2)
      })
      const back = await fulfilled(async () => {
        const checked = await check(limiter)
        if (checked.source === 'local') throw new CinnabarError('not yet', { code: 'E_UNAVAILABLE' })
        return checked
      })
      assert.equal(back.source, 'store')
      if (outage.forgets) assert.equal(back.remaining, 2, 'the server counts on from what it knows')
    })

    test('a cache finds nothing, says so in its stats, and loses no write in silence', async () => {
      const service = await connectedService(server)
      const cache = new ApiCache(service)
      const bytes = new Uint8Array([1, 2, 3])
      const patient = await patientCache(server)
      await patient.set('k', 'plain')
      await patient.set('t', 'tagged', { tags: ['tag'] })
      await patient.setImageInfo('a.png', bytes)
      assert.deepEqual(await patient.getMany(['k', 't']), ['plain', 'tagged'])
      const before = cache.stats()
      await whileAway(outage, server, async (warnings) => {
        const reads = await Promise.all([
          cache.get('k'),
          cache.get('t'),
          cache.getMany(['k', 't']),
          cache.getMany([]),
          cache.getCachedResponse('k'),
          cache.getImageInfo('a.png'),
          cache.has('k'),
          cache.ttl('k'),
          away(
            cache.set('k', 1),
            cache.set('k', 1, { tags: ['tag'] }),
            cache.setMany([{ key: 'k', value: 1 }]),
            cache.setCachedResponse('k', 1),
            cache.setImageInfo('a.png', bytes),
            cache.invalidate('k'),
            cache.invalidateCache('k'),
            cache.deleteMany(['k', 't']),
            cache.invalidateByTag('tag'),
            cache.expireByTag('tag'),
            cache.clear(),
            cache.entries().next(),
            cache.invalidateByPattern('*'),
            cache.invalidateImage('a.png'),
          ),
        ])
        assert.deepEqual(reads.slice(0, 8), [null, null, [null, null], [], null, null, false, null])
        assert.deepEqual(cache.stats(), { ...before, errors: before.errors + 8 })
        await refuses(cache.get(42), 'E_INVALID_ARGUMENT')
        await refuses(cache.getMany('k'), 'E_INVALID_ARGUMENT')
        assert.deepEqual(warnings, [])
      })
      const found = await fulfilled(async () => {
        const { errors } = cache.stats()
        const value = await cache.get('k')
        if (cache.stats().errors > errors) throw new CinnabarError('not yet', { code: 'E_UNAVAILABLE' })
        return value
      })
      if (outage.forgets) assert.equal(found, null)
    })

    test('a cache rejects, if its options say so', async () => {
      for (const onUnavailable of ['throw', 'empty']) {
        const service = await connectedService(server, { onUnavailable })
        const cache = new ApiCache(service, { onUnavailable: 'throw' })
        await (await patientCache(server)).set('k', 1)
        await whileAway(outage, server, async () => {
          const loaded = cache.getOrSet('k', () => 'loaded')
          await away(cache.get('k'), cache.getMany(['k']), cache.getCachedResponse('k'), cache.getImageInfo('a.png'))
          assert.equal(await loaded, 'loaded')
        })
        await fulfilled(() => cache.get('k'))
      }
    })

    test('a cache of a service that returns empty values finds nothing either, and warns once', async () => {
      const service = await connectedService(server, { onUnavailable: 'empty' })
      const cache = new ApiCache(service)
      await (await patientCache(server)).set('k', 1)
      await whileAway(outage, server, async (warnings) => {
        const reads = Promise.all([cache.get('k'), cache.getMany(['k', 'l']), cache.getMany([])])
        assert.deepEqual(await reads, [null, [null, null], []])
        skipped.push(...warnings)
        assert.deepEqual(skipped, ['Redis not connected - skipping GET operation'])
      })
    })

    test('getOrSet loads once for all who wait', async () => {
      const service = await connectedService(server)
      const cache = new ApiCache(service)
      await (await patientCache(server)).set('k', 'kept')
      const before = cache.stats()
      await whileAway(outage, server, async () => {
        let loads = 0
        const load = () => `loaded ${++loads}`
        const results = await Promise.all(
          Array.from({ length: 20 }, () => cache.getOrSet('k', load, { tags: ['tag'] })),
        )
        assert.deepEqual(new Set(results), new Set(['loaded 1']))
        assert.equal(cache.stats().errors, before.errors + 20)
        const failure = new Error('of the load')
        await assert.rejects(
          cache.getOrSet('k', () => Promise.reject(failure)),
          failure,
        )
      })
    })

    test('what was loaded is returned though the server went away meanwhile', async () => {
      // Time for the reads before.
      const service = await connectedService(server, { timeoutMs: 2000, connectTimeoutMs: 2000 })
      const [cache, sessions] = [new ApiCache(service), new SessionManager(service)]
      const [begun, meanwhile] = [[deferred(), deferred()], deferred()]
      const load = (which) => async () => {
        begun[which].resolve()
        await meanwhile.promise
        return { userId: 'u' }
      }
      const results = Promise.all([
        cache.getOrSet('lost', load(0)),
        sessions.validateSession('token of the lost', { load: load(1) }),
      ])
      await Promise.all(begun.map(({ promise }) => promise))
      await whileAway(outage, server, async () => {
        meanwhile.resolve()
        assert.deepEqual(await results, [{ userId: 'u' }, { userId: 'u' }])
        assert.deepEqual([cache.stats().errors, sessions.stats().errors], [1, 1])
        assert.equal(sessions.stats().fallbacks, 0, 'the server was asked')
      })
    })

    test('sessions do not seem deleted, and validation uses the load', async () => {
      const service = await connectedService(server)
      const sessions = new SessionManager(service)
      const patient = new SessionManager(await patientService(server))
      const id = await patient.createSession('user', { role: 'admin' })
      const load = () => ({ userId: 'user', name: 'Ann' })
      assert.equal((await patient.validateSession('token', { load })).name, 'Ann')
      await whileAway(outage, server, async (warnings) => {
        await away(
          sessions.getSession(id),
          sessions.get(id),
          sessions.updateSession(id, { role: 'guest' }),
          sessions.touch(id),
          sessions.extendSession(id),
          sessions.createSession('user'),
          sessions.storeSession('mine', { a: 1 }),
          sessions.listSessions('user'),
          sessions.destroySession('other'),
          sessions.destroyByTag('tag'),
          sessions.invalidateUser('unknown'),
        )
        let loads = 0
        const counted = async (hash) => {
          assert.match(hash, /^[0-9a-f]{64}$/)
          return { ...load(), loads: ++loads }
        }
        const asked = Array.from({ length: 5 }, () => sessions.validateSession('token', { load: counted }))
        assert.deepEqual(new Set((await Promise.all(asked)).map((user) => user.loads)), new Set([1]))
        assert.equal(await sessions.validateSession('unknown', { load: () => null }), null)
        assert.equal(sessions.stats().fallbacks, 6)
        assert.deepEqual(warnings, [])
      })
      const session = await fulfilled(() => sessions.getSession(id))
      if (outage.forgets) assert.equal(session, null)
      else assert.equal(session.userId, 'user')
      await fulfilled(() => sessions.validateSession('token', { load }))
    })

    test('validateSession uses the load also where the service returns empty values', async () => {
      const service = await connectedService(server, { onUnavailable: 'empty' })
      const sessions = new SessionManager(service)
      await whileAway(outage, server, async () => {
        const user = await sessions.validateSession('token', { load: () => ({ userId: 'loaded' }) })
        assert.deepEqual(user, { userId: 'loaded' })
        assert.equal(sessions.stats().fallbacks, 1)
      })
    })

    test('no lock is granted, and none is given back by guessing', async () => {
      const service = await connectedService(server)
      const locks = new DistributedLock(service)
      const patient = new DistributedLock(await patientService(server))
      const token = await patient.acquireLock('held')
      let ran = false
      await whileAway(outage, server, async () => {
        await away(
          locks.acquireLock('free'),
          locks.acquireLock('held'),
          locks.extendLock('held', token),
          locks.releaseLock('held', token),
          locks.withLock('also free', () => (ran = true)),
        )
        await away(locks.releaseLock('held', token), locks.acquireLock('free'))
        assert.equal(ran, false)
      })
      const released = await fulfilled(() => locks.releaseLock('held', token))
      // A hanging server reads what was sent before its callers gave up, so it may have been released by then.
      if (outage.forgets) assert.equal(released, false, 'the server has forgotten it')
      assert.equal(await server.command('EXISTS', 'lock:held'), 0)
      assert.equal(typeof (await fulfilled(() => patient.acquireLock('held'))), 'string')
    })

    test('no lock is granted where the service returns empty values', async () => {
      const service = await connectedService(server, { onUnavailable: 'empty' })
      const locks = new DistributedLock(service)
      let ran = false
      await whileAway(outage, server, async () => {
        const calls = [
          locks.acquireLock('nothing'),
          locks.releaseLock('nothing', 'token'),
          locks.extendLock('nothing', 'token'),
        ]
        const within = locks.withLock('nothing', () => (ran = true)).catch((error) => error.constructor)
        const results = await Promise.all(calls.map((call) => call.catch((error) => error.code)))
        // What a server was sent and may have done was not skipped.
        const sent = outage.name === 'hangs'
        assert.deepEqual(results, sent ? Array(3).fill('E_MAYBE_APPLIED') : [null, false, false])
        assert.equal(await within, CinnabarError)
        assert.equal(ran, false)
      })
    })

    test('an operation under a lock keeps its result though the server goes away meanwhile', async () => {
      const service = await connectedService(server, { timeoutMs: 2000, connectTimeoutMs: 2000 })
      const locks = new DistributedLock(service)
      try {
        const result = await locks.withLock('leaving', async () => {
          await outage.begin(server)
          return 'done'
        })
        assert.equal(result, 'done')
      } finally {
        await outage.end(server)
      }
    })
  })
}

describe('while the server is full', async () => {
  const server = await startRedis({ args: ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'] })
  after(() => server.stop())

  test('a limiter cannot count there, and does what its options say for that', async () => {
    const service = await connectedService(server, { timeoutMs: 5000 })
    const check = (onUnavailable, count) => {
      const limiter = new RateLimiter(service, { onUnavailable, prefix: `${onUnavailable} ${count}:` })
      return Promise.all(Array.from({ length: count }, () => limiter.checkRateLimit('user', 3, 60)))
    }
    // One by itself and many that travel as one are refused in different words.
    for (const count of [1, 10]) {
      const [allow, deny, local] = [
        await check('allow', count),
        await check('deny', count),
        await check('local', count),
      ]
      for (const { allowed, source } of allow) assert.deepEqual([allowed, source], [true, 'fallback'])
      for (const { allowed, source } of deny) assert.deepEqual([allowed, source], [false, 'fallback'])
      for (const { source } of local) assert.equal(source, 'local')
      assert.equal(local.filter(({ allowed }) => allowed).length, Math.min(count, 3))
      await refuses(check('throw', count), 'E_OUT_OF_MEMORY')
    }
  })

  test('what was loaded is returned, and counted as not stored', async () => {
    const service = await connectedService(server, { timeoutMs: 5000 })
    const [cache, sessions] = [new ApiCache(service), new SessionManager(service)]
    assert.equal(await cache.getOrSet('k', () => 'loaded'), 'loaded')
    assert.equal(cache.stats().errors, 1)
    const load = () => ({ userId: 'u' })
    assert.deepEqual(await sessions.validateSession('token', { load }), { userId: 'u' })
    assert.equal(sessions.stats().errors, 1)
    await refuses(cache.set('k', 1), 'E_OUT_OF_MEMORY')
    await refuses(new DistributedLock(service).acquireLock('resource'), 'E_OUT_OF_MEMORY')
  })
})
