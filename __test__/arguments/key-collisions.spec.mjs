// No identifier that comes from outside reaches the key of another identifier, of another feature, or of a route.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'node:test'

import fc from 'fast-check'

import { ApiCache, DistributedLock, RateLimiter, RealtimeDataManager, RedisService, SessionManager } from 'cinnabar'

import { assertTyped } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const seed = process.env.FC_SEED ? Number(process.env.FC_SEED) : undefined
const runs = (numRuns) => ({ numRuns, seed, endOnFailure: false })

const hashOf = (text) => createHash('sha256').update(text, 'utf16le').digest('hex')
const LONG = 'y'.repeat(600)
// Texts made of what means something in keys, so that those that could meet do.
const piece = fc.constantFrom(
  ...[
    '%',
    '25',
    '7b',
    '7B',
    '7D',
    '3A',
    '{',
    '}',
    ':',
    '::',
    'a',
    '*',
    '%sha256%',
    '%sha256:',
    'sha256',
    '%empty',
    '=',
  ],
  ...[
    hashOf(LONG),
    LONG,
    '\0',
    '\0utf16:',
    '\ud800',
    hashOf('\ud800'),
    'ratelimit:',
    'rate_limit:',
    'session:',
    'api:',
  ],
  ...[
    'room:',
    'lock:',
    'queue:',
    'user:',
    'tag:',
    ':users',
    ':messages',
    ':load',
    '}:load',
    'cache:',
    '/login',
    '1.2.3.4',
  ],
)
const text = fc.array(piece, { maxLength: 5 }).map((pieces) => pieces.join(''))

test('no two pairs of an address and a route have one key, however they are spelled', () => {
  const key = RateLimiter.keyForRoute
  const part = key(LONG, '/').slice('ratelimit:'.length, -2)
  assert.equal(part, `%sha256%${hashOf(LONG)}`)
  assert.notEqual(key(part, '/'), key(LONG, '/'))
  assert.notEqual(key('/', part), key('/', LONG))
  // The keys of usual addresses stay as they are documented.
  assert.equal(key('203.0.113.7', '/login'), 'ratelimit:203.0.113.7:/login')
  assert.equal(key('fe80::1%eth0', '/'), 'ratelimit:fe80::1%eth0:/')
  assert.equal(key('%sha256}', '/'), 'ratelimit:%25sha256%7D:/')
  const property = fc.property(text, text, text, text, (ip, route, otherIp, otherRoute) => {
    assert.equal(key(ip, route) === key(otherIp, otherRoute), ip === otherIp && route === otherRoute)
  })
  fc.assert(property, runs(20_000))
})

// What each feature does with an identifier; what it is called by in two features is one text.
const FEATURES = {
  createSession: ({ sessions }, id) => sessions.createSession(id, {}, { id, tags: [id] }),
  storeSession: ({ sessions }, id) => sessions.storeSession(id, { userId: id }),
  validateSession: ({ sessions }, id) => sessions.validateSession(id, { load: () => ({ id }) }),
  cache: ({ cache }, id) => cache.set(id, 1, { tags: [id] }),
  load: ({ cache }, id) => cache.getOrSet(id, () => 1, { tags: [id] }),
  limit: ({ limiter }, id) => limiter.checkRateLimit(id, 9, 60),
  route: ({ limiter }, id) => limiter.checkRateLimit(limiter.keyForRoute(id, id), 9, 60),
  lock: ({ locks }, id) => locks.acquireLock(id),
  room: ({ rooms }, id) => rooms.addUserToRoom(id, 'u'),
  message: ({ rooms }, id) => rooms.storeMessage(id, { text: 'hi' }),
  queue: async ({ queue }, id) => queue(id).add('job', 1, { id: 'j' }),
}
// These are about one thing each: a user, a cached value, a room.
const SAME = [
  ['createSession', 'storeSession', 'validateSession'],
  ['cache', 'load'],
  ['room', 'message'],
]
const isShared = (key) => /^[a-z_:]*\{[a-z_:]*\}:(invalidations|nodes)$/.test(key)

async function allKeys(client) {
  const all = []
  for await (const key of client.scanIterator()) all.push(...[key].flat())
  return all
}

/** Two services on one store. */
async function twoServices(engine) {
  const service = await engine.makeService()
  return [service, engine.beside(service)]
}

async function keysOf(service, run, id) {
  const client = service.getClient()
  const found = await allKeys(client)
  if (found.length > 0) await client.del(found)
  // What a feature cannot take for an identifier is refused or not found.
  await run(service, id).catch((error) => assert.equal(error.code, 'E_INVALID_ARGUMENT', error.stack))
  return (await allKeys(client)).filter((key) => !isShared(key))
}

function featuresOf(service, prefixes) {
  const options = (name) => (prefixes ? { prefix: prefixes[name] } : undefined)
  return {
    getClient: () => service.getClient(),
    sessions: new SessionManager(service, options('sessions')),
    cache: new ApiCache(service, options('cache')),
    limiter: new RateLimiter(service, options('limiter')),
    locks: new DistributedLock(service, options('locks')),
    rooms: new RealtimeDataManager(service, options('rooms')),
    queue: (name) => service.queue(name, options('queue')),
  }
}

const PREFIXES = [
  undefined,
  { sessions: 'a:', cache: 'b:', limiter: 'c:', locks: 'd:', rooms: 'e:', queue: 'a:' },
  {
    sessions: 'app:session:',
    cache: 'app:cache:',
    limiter: 'app:limit:',
    locks: 'app:lock:',
    rooms: 'app:room:',
    queue: 'app:',
  },
]

for (const engine of engines) {
  describe(`identifiers on ${engine.name}`, () => {
    test('never lead to a key of another identifier or feature', async (context) => {
      const service = await engine.makeService()
      let compared = 0
      for (const prefixes of PREFIXES) {
        const features = featuresOf(service, prefixes)
        const name = fc.constantFrom(...Object.keys(FEATURES))
        const property = fc.asyncProperty(name, text, name, text, async (one, id, other, otherId) => {
          const isSame = one === other || SAME.some((pair) => pair.includes(one) && pair.includes(other))
          if (isSame && id === otherId) return
          // An identifier that spells a route key is that route key: this is what keyForRoute is for.
          if (/limit|route/.test(one) && /limit|route/.test(other) && /ratelimit:/.test(id + otherId)) return
          const keys = await keysOf(features, FEATURES[one], id)
          const others = new Set(await keysOf(features, FEATURES[other], otherId))
          const common = keys.filter((key) => others.has(key))
          assert.deepEqual(common, [], `${one}(${JSON.stringify(id)}) and ${other}(${JSON.stringify(otherId)})`)
          if (keys.length > 0 && others.size > 0) compared++
        })
        await fc.assert(property, runs(engine.server ? 150 : 400))
      }
      context.diagnostic(`${compared} pairs had keys`)
      assert.ok(compared > 150, String(compared))
      await service.disconnect()
    })

    test('that no text encoding can carry have keys of their own', async () => {
      const service = await engine.makeService()
      const encoded = `\0utf16:${hashOf('\ud800')}`
      for (const id of ['\ud800', encoded, `\0utf16:=${encoded}`, '\ud801']) {
        assert.equal((await service.limiter.checkRateLimit(id, 1, 60)).allowed, true)
        assert.equal(await service.cache.get(id), null)
        await service.cache.set(id, 1)
      }
      await service.disconnect()
    })

    test('that only begin like a route key, and are none, are counted as identifiers', async () => {
      const service = await engine.makeService()
      const client = service.getClient()
      for (const [limiter, own] of [
        [new RateLimiter(service), 'rate_limit:'],
        [new RateLimiter(service, { prefix: 'app:' }), 'app:'],
      ]) {
        for (const id of [
          'ratelimit:',
          'ratelimit:bob',
          'ratelimit:{x}:/',
          'ratelimit:a:%',
          'ratelimit:1.2.3.4:/{id}',
        ]) {
          await limiter.checkRateLimit(id, 9, 60)
          assert.deepEqual(await allKeys(client), [own + id.replace(/[{}%]/g, encodeURIComponent)])
          assert.equal(await limiter.resetRateLimit(id), 1)
        }
        const property = fc.asyncProperty(text, text, async (ip, route) => {
          const key = limiter.keyForRoute(ip, route)
          if (key.includes('\0') || !key.isWellFormed()) return
          await limiter.checkRateLimit(key, 9, 60)
          assert.deepEqual(await allKeys(client), [key])
          assert.equal(await limiter.resetRateLimit(key), 1)
        })
        await fc.assert(property, runs(200))
      }
      await service.disconnect()
    })
  })

  describe(`prefixes on ${engine.name}`, () => {
    const MAKE = {
      sessions: (service, prefix) => new SessionManager(service, { prefix }),
      cache: (service, prefix) => new ApiCache(service, { prefix }),
      limiter: (service, prefix) => new RateLimiter(service, { prefix }),
      locks: (service, prefix) => new DistributedLock(service, { prefix }),
      rooms: (service, prefix) => new RealtimeDataManager(service, { prefix }),
    }
    const defaults = ['session:', 'api:', 'rate_limit:', 'ratelimit:', 'lock:', 'room:']
    const refused = { code: 'E_INVALID_SETTINGS', message: /overlaps/ }

    test('that overlap are refused where the second is made, in one service or several on one store', async () => {
      for (const [one, make] of Object.entries(MAKE)) {
        for (const [other, makeOther] of Object.entries(MAKE)) {
          for (const [first, second] of [
            ['x:', 'x:'],
            ['x:', 'x:y:'],
            ['x:y:', 'x:'],
          ]) {
            const services = await twoServices(engine)
            make(services[0], first)
            // Objects of one feature with one prefix share their keys.
            if (one === other && first === second) {
              for (const service of [...services, services[0].with({ timeoutMs: 1000 })]) makeOther(service, second)
            } else {
              for (const service of [...services, services[0].with({ timeoutMs: 1000 })]) {
                assert.throws(() => makeOther(service, second), refused, `${one} ${first}, ${other} ${second}`)
              }
              // What is refused claims nothing.
              make(services[1], first)
            }
            makeOther(services[1], 'z:')
            await Promise.all(services.map((service) => service.disconnect()))
          }
        }
      }
    })

    test('of a feature that has not been used yet are its own already', async () => {
      const service = await engine.makeService()
      for (const make of Object.values(MAKE)) {
        let taken = 0
        for (const prefix of defaults) {
          try {
            make(service, prefix)
          } catch (error) {
            assert.match(error.message, refused.message)
            taken++
          }
          assert.throws(() => make(service, `${prefix}x:`), refused)
        }
        assert.equal(taken, defaults.length - 1, 'all but its own')
      }
      await service.disconnect()
    })

    test('may be used again once their service is disconnected, on another store, and by queues', async () => {
      const [service, other] = await twoServices(engine)
      MAKE.sessions(service, 'x:')
      assert.equal(
        await service
          .queue('q', { prefix: 'x:' })
          .add('job')
          .then(({ isNew }) => isNew),
        true,
      )
      const elsewhere = new RedisService({ url: 'memory:another store' })
      MAKE.cache(elsewhere, 'x:')
      assert.throws(() => MAKE.cache(other, 'x:'), refused)
      await service.disconnect()
      MAKE.cache(other, 'x:')
      await Promise.all([other.disconnect(), elsewhere.disconnect()])
    })

    test('are claimed again by a service that connects again, which is refused where another one took them', async () => {
      const [service, other] = await twoServices(engine)
      const sessions = MAKE.sessions(service, 'x:')
      await service.disconnect()
      await service.connect()
      await sessions.storeSession('s', { a: 1 })
      assert.throws(() => MAKE.cache(other, 'x:'), refused)
      assert.throws(() => MAKE.cache(other, 'x:y:'), refused)
      await service.disconnect()
      MAKE.sessions(service, 'x:')
      assert.throws(() => MAKE.cache(other, 'x:'), refused, 'made anew while it is disconnected')
      await service.disconnect()
      MAKE.cache(other, 'x:')
      await assert.rejects(service.connect(), refused)
      await assert.rejects(service.with({ timeoutMs: 1000 }).connect(), refused)
      await assert.rejects(sessions.getSession('s'), { code: 'E_CLOSED' })
      await other.disconnect()
      await service.connect()
      assert.throws(() => MAKE.cache(other, 'x:'), refused)
      await service.disconnect()
    })

    test('stay claimed by a service that connects again while it is being disconnected', async () => {
      const [service, other] = await twoServices(engine)
      MAKE.sessions(service, 'x:')
      for (const again of [service, service.with({ timeoutMs: 1000 })]) {
        await service.connect()
        const disconnecting = service.disconnect()
        await Promise.all([disconnecting, again.connect()])
        assert.throws(() => MAKE.cache(other, 'x:'), refused)
        await Promise.all([service.disconnect(), service.disconnect()])
      }
      const [, connected] = await Promise.allSettled([service.disconnect(), service.connect(), service.disconnect()])
      // A server takes longer to connect to than the second disconnect() waits.
      if (connected.reason) assertTyped(connected.reason, 'E_CLOSED')
      MAKE.cache(other, 'x:')
      await other.disconnect()
    })
  })
}

test('prefixes of two primaries of the same sentinels do not overlap', async () => {
  const of = (name) => new RedisService({ url: `redis-sentinel://127.0.0.1:1/${name}` })
  const services = [of('one'), of('two'), of('two')]
  new SessionManager(services[0], { prefix: 'x:' })
  new ApiCache(services[1], { prefix: 'x:' })
  assert.throws(() => new SessionManager(services[2], { prefix: 'x:' }), { code: 'E_INVALID_SETTINGS' })
  await Promise.all(services.map((service) => service.disconnect()))
})
