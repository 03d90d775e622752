// Ids come from strangers. Whatever string one is, a call that reads or removes finds nothing, and one that writes takes it or
// refuses it, without repeating it. What is no string at all is the programmer's mistake.
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import {
  ApiCache,
  DistributedLock,
  JobQueue,
  RateLimiter,
  RealtimeDataManager,
  RedisService,
  SessionManager,
} from 'cinnabar'

import { methodsOf, refuses } from '../helpers.mjs'
import { engines, freePort } from '../support/engines.mjs'

const MARK = 'a-strangers-word'
// What no id can be, though one of a cache or a limiter is any string.
const CANNOT_BE = [
  '',
  '\0',
  `${MARK}\0`,
  MARK.repeat(5000),
  'ü'.repeat(40_000),
  '\ud800',
  `${MARK}\udc00`,
  `{${MARK}\ud800}`,
]
// What is odd and can be one.
const CAN_BE = [`{${MARK}}`, '{}', `${MARK}\r\n\x01\x7f`, '*', '%7B', '__proto__', `{}\u2028${MARK}`]

// What a call with an id does for a string that cannot be one. `finds(result)`: as where there is nothing, and nothing is sent.
// `refuses`: it writes. `takes`: any string will do.
const finds = (result, call, ...tooLong) => ({ call, result, tooLong })
const writes = (call) => ({ call, refused: true })
const takes = (call, result) => ({ call, taken: true, result })
/** No argument is an id of a stranger's: it is a setting, a pattern, a name in the program, or raw. */
const NONE = []

const load = () => null
const nothing = () => {}
const closed = (follow) => (rooms, id) => follow(rooms, id).then((following) => following.close())
const TOKEN = 'f'.repeat(32)

const CALLS = {
  SessionManager: {
    with: NONE,
    stats: NONE,
    createSession: [
      writes((s, id) => s.createSession(id)),
      writes((s, id) => s.createSession('u', {}, { id })),
      writes((s, id) => s.createSession('u', {}, { tags: [id] })),
    ],
    create: [writes((s, id) => s.create(id))],
    getSession: [finds(null, (s, id) => s.getSession(id))],
    get: [finds(null, (s, id) => s.get(id))],
    updateSession: [finds(false, (s, id) => s.updateSession(id, { a: 1 }))],
    update: [finds(false, (s, id) => s.update(id, { a: 1 }))],
    destroySession: [finds(0, (s, id) => s.destroySession(id))],
    destroy: [finds(0, (s, id) => s.destroy(id))],
    deleteSession: [finds(0, (s, id) => s.deleteSession(id))],
    extendSession: [finds(false, (s, id) => s.extendSession(id))],
    touch: [finds(false, (s, id) => s.touch(id)), finds(false, (s, id) => s.touch(id, 60))],
    keyOf: [finds(null, async (s, id) => (s.keyOf(id) === null ? null : s.getSession(id)))],
    idOf: [takes(async (s, id) => s.idOf(id), null)],
    ids: NONE,
    length: NONE,
    storeSession: [writes((s, id) => s.storeSession(id, {}))],
    destroyByTag: [finds(0, (s, id) => s.destroyByTag(id))],
    invalidateUser: [finds(0, (s, id) => s.invalidateUser(id))],
    listSessions: [finds([], (s, id) => s.listSessions(id))],
    describeSessions: [finds([], (s, id) => s.describeSessions(id))],
    destroySessionOf: [
      finds(0, (s, id) => s.destroySessionOf(id, 'public')),
      finds(0, (s, id) => s.destroySessionOf('unknown', id)),
    ],
    bind: [finds(null, (s, id) => s.bind(id, () => {}))],
    connections: [finds([], (s, id) => s.connections(id))],
    watch: NONE,
    invalidateToken: [finds(0, (s, id) => s.invalidateToken(id))],
    withSession: NONE,
    fromRequest: [finds(null, (s, id) => s.fromRequest(id).then(({ data }) => data))],
    validateSession: [finds(null, (s, id) => s.validateSession(id, { load }))],
  },
  ApiCache: {
    with: NONE,
    stats: NONE,
    invalidateByPattern: NONE,
    clear: NONE,
    entries: NONE,
    keyFor: NONE,
    peek: [takes(async (c, id) => c.peek(id) ?? null, null)],
    get: [takes((c, id) => c.get(id), null)],
    getCachedResponse: [takes((c, id) => c.getCachedResponse(id), null)],
    getMany: [takes((c, id) => c.getMany([id]), [null])],
    getOrSet: [takes((c, id) => c.getOrSet(id, () => 1), 1)],
    lookup: [takes((c, id) => c.lookup(id, () => 1).then(({ value }) => value), 1)],
    set: [takes((c, id) => c.set(id, 1)), takes((c, id) => c.set('k', 1, { tags: [id] }))],
    setCachedResponse: [takes((c, id) => c.setCachedResponse(id, 1))],
    setMany: [takes((c, id) => c.setMany([{ key: id, value: 1 }]))],
    invalidate: [takes((c, id) => c.invalidate(id), 0)],
    ttl: [takes((c, id) => c.ttl(id), null)],
    has: [takes((c, id) => c.has(id), false)],
    deleteMany: [takes((c, id) => c.deleteMany([id]), 0)],
    invalidateCache: [takes((c, id) => c.invalidateCache(id), 0)],
    invalidateByTag: [takes((c, id) => c.invalidateByTag(id))],
    expireByTag: [takes((c, id) => c.expireByTag(id))],
    getImageInfo: [takes((c, id) => c.getImageInfo(id), null)],
    setImageInfo: [takes((c, id) => c.setImageInfo(id, new Uint8Array(4)).then(({ size }) => size), 4)],
    invalidateImage: [takes((c, id) => c.invalidateImage(id), 0)],
  },
  RateLimiter: {
    with: NONE,
    headers: NONE,
    problem: NONE,
    stats: NONE,
    offenders: NONE,
    checkRateLimit: [takes((l, id) => l.checkRateLimit(id, 5, 60).then(({ allowed }) => allowed), true)],
    check: [
      takes(
        (l, id) =>
          plainLimiters
            .get(l)
            .check(id)
            .then(({ allowed }) => allowed),
        true,
      ),
      takes((l, id) => l.check('p', id).then(({ allowed }) => allowed), true),
    ],
    peek: [takes((l, id) => l.peek('p', id).then(({ remaining }) => remaining), 5)],
    penalize: [takes((l, id) => l.penalize('p', id).then(({ allowed }) => allowed), true)],
    wait: [takes((l, id) => l.wait('p', id).then(({ allowed }) => allowed), true)],
    acquire: [takes((l, id) => l.acquire('slots', id).then(({ allowed }) => allowed), true)],
    checkAll: [takes((l, id) => l.checkAll([{ policy: 'p', identifier: id }]).then(({ allowed }) => allowed), true)],
    settle: [takes((l, id) => l.settle('p', id, id, 1), false), takes((l, id) => l.settle('p', 'id', id, 1), false)],
    refund: [takes((l, id) => l.refund('p', id, id), false)],
    block: [takes((l, id) => l.block('other', id, 1), true)],
    unblock: [takes((l, id) => l.unblock('p', id), false)],
    reset: [takes((l, id) => l.reset('p', id), false)],
    override: [takes((l, id) => l.override('other', id, { limit: 5, ttlSeconds: 60 }), true)],
    restore: [takes((l, id) => l.restore('p', id), false)],
    checkLimit: [takes((l, id) => l.checkLimit(id, 5, 60), true)],
    resetRateLimit: [takes((l, id) => l.resetRateLimit(id), 0)],
    keyForRoute: [
      takes(async (l, id) => typeof l.keyForRoute(id, '/'), 'string'),
      takes(async (l, id) => typeof l.keyForRoute('::1', id), 'string'),
    ],
  },
  DistributedLock: {
    with: NONE,
    list: NONE,
    acquire: [writes(async (l, id) => (await l.acquire(id)).release())],
    acquireAll: [writes(async (l, id) => (await l.acquireAll([id])).release())],
    info: [finds(0, (l, id) => l.info(id).then(({ ttlMs }) => ttlMs))],
    acquireLock: [writes((l, id) => l.acquireLock(id))],
    withLock: [writes((l, id) => l.withLock(id, nothing))],
    releaseLock: [
      finds(false, (l, id) => l.releaseLock(id, TOKEN)),
      finds(false, (l, id) => l.releaseLock('resource', id)),
    ],
    extendLock: [
      finds(false, (l, id) => l.extendLock(id, TOKEN)),
      finds(false, (l, id) => l.extendLock('resource', id)),
    ],
  },
  RealtimeDataManager: {
    with: NONE,
    addUserToRoom: [writes((r, id) => r.addUserToRoom(id, 'u')), writes((r, id) => r.addUserToRoom('r', id))],
    join: [
      writes((r, id) => r.join(id, 'u').then((membership) => membership.leave())),
      writes((r, id) => r.join('r', id).then((membership) => membership.leave())),
    ],
    storeMessage: [writes((r, id) => r.storeMessage(id, {}))],
    send: [writes((r, id) => r.send(id, {}))],
    removeUserFromRoom: [
      finds(0, (r, id) => r.removeUserFromRoom(id, 'u')),
      finds(0, (r, id) => r.removeUserFromRoom('empty', id)),
    ],
    getRoomUsers: [finds({}, (r, id) => r.getRoomUsers(id).then((users) => ({ ...users })))],
    getRecentMessages: [finds([], (r, id) => r.getRecentMessages(id))],
    watch: [
      finds([], (r, id) => r.watch(id, nothing).then(async (watch) => (await watch.close(), [...watch.users]))),
      finds([], (r, id) => r.watch(id).then(async (watch) => (await watch.close(), [...watch.users]))),
    ],
    listen: [
      finds(
        undefined,
        closed((r, id) => r.listen(id, nothing)),
      ),
      finds(
        undefined,
        closed((r, id) => r.listen(id, { since: 1 })),
      ),
    ],
  },
  JobQueue: {
    with: NONE,
    process: NONE,
    repeats: NONE,
    list: NONE,
    counts: NONE,
    pause: NONE,
    resume: NONE,
    redrive: NONE,
    drain: NONE,
    clean: NONE,
    on: NONE,
    once: NONE,
    off: NONE,
    addListener: NONE,
    removeListener: NONE,
    removeAllListeners: NONE,
    listenerCount: NONE,
    close: NONE,
    add: [
      writes((q, id) => q.add('n', 1, { id })),
      writes((q, id) => q.add('n', 1, { group: id })),
      writes((q, id) => q.add('n', 1, { dedup: { id } })),
    ],
    addMany: [writes((q, id) => q.addMany([{ name: 'n', data: 1, id }]))],
    repeat: [writes((q, id) => q.repeat(id, { everyMs: 60_000 }, 'n', 1))],
    unrepeat: [finds(false, (q, id) => q.unrepeat(id), 'x'.repeat(481))],
    get: [finds(null, (q, id) => q.get(id), 'x'.repeat(513), '%'.repeat(171))],
    logs: [finds([], (q, id) => q.logs(id), 'x'.repeat(513), '%'.repeat(171))],
    remove: [finds(false, (q, id) => q.remove(id), 'x'.repeat(513), '%'.repeat(171))],
    retry: [finds(false, (q, id) => q.retry(id), 'x'.repeat(513), '%'.repeat(171))],
  },
  // Keys, fields and channels of a service are raw: they are the store's own names, exactly as given.
  RedisService: {
    connect: NONE,
    disconnect: NONE,
    get: NONE,
    getBuffer: NONE,
    set: NONE,
    del: NONE,
    exists: NONE,
    expire: NONE,
    hSet: NONE,
    hGet: NONE,
    hGetBuffer: NONE,
    hGetAll: NONE,
    hDel: NONE,
    publish: NONE,
    subscribe: NONE,
    healthCheck: NONE,
    getClient: NONE,
    queue: NONE,
    with: NONE,
  },
}

const CLASSES = { SessionManager, ApiCache, RateLimiter, DistributedLock, RealtimeDataManager, JobQueue, RedisService }

test('no public method is missing here', () => {
  for (const [name, made] of Object.entries(CLASSES)) {
    assert.deepEqual(Object.keys(CALLS[name]).sort(), methodsOf(made).sort(), name)
  }
})

/** What a stranger is shown of an outcome has nothing of what the stranger sent. */
const assertHidden = (error, id) => {
  assert.ok(
    !error.message.includes(MARK) && (id.length < 20 || !error.message.includes(id.slice(0, 20))),
    error.message,
  )
  assert.equal(error.key, undefined)
}

const plainLimiters = new WeakMap()
const limiterOf = (service) => {
  const p = { limit: 5, per: 60 }
  const limiter = new RateLimiter(service, { policies: { p, other: p, slots: { algorithm: 'concurrency', limit: 5 } } })
  plainLimiters.set(limiter, service.limiter)
  return limiter
}

const featuresOf = (service) => ({
  SessionManager: service.sessions,
  ApiCache: service.cache,
  RateLimiter: limiterOf(service),
  DistributedLock: service.locks,
  RealtimeDataManager: service.rooms,
  JobQueue: service.queue('strangers'),
})

test('nothing is sent for what cannot be an id', async () => {
  // What is sent would end in E_UNAVAILABLE.
  const service = new RedisService({ url: `redis://127.0.0.1:${await freePort()}`, connectWaitMs: 50, log: false })
  await refuses(service.rooms.getRoomUsers('lobby'), 'E_UNAVAILABLE')
  const made = featuresOf(service)
  for (const [name, methods] of Object.entries(CALLS)) {
    for (const [method, calls] of Object.entries(methods)) {
      for (const { call, result, refused, taken, tooLong = [] } of calls) {
        if (taken) continue
        for (const id of [...CANNOT_BE, ...tooLong]) {
          const what = `${name}.${method} ${JSON.stringify(id.slice(0, 20))}`
          if (refused) await refuses(call(made[name], id), 'E_INVALID_ARGUMENT')
          else assert.deepEqual(await call(made[name], id), result, what)
        }
      }
    }
  }
  await service.disconnect()
})

for (const engine of engines) {
  describe(`ids of strangers on ${engine.name}`, () => {
    let service, made
    before(async () => {
      service = await engine.makeService()
      await service.connect()
      made = featuresOf(service)
    })
    after(() => service.disconnect())

    test('what is wrong besides an id that cannot be one is refused all the same', async () => {
      const { sessions, locks, rooms } = service
      const queue = made.JobQueue
      for (const call of [
        () => sessions.extendSession('\0', -1),
        () => sessions.updateSession('\0', 42),
        () => sessions.invalidateUser(1.5),
        () => locks.extendLock('\0', TOKEN, -1),
        () => locks.extendLock('resource', '\0', 0),
        () => locks.releaseLock('\0', 42),
        () => locks.releaseLock(42, '\0'),
        () => rooms.getRecentMessages('\0', -1),
        () => rooms.removeUserFromRoom('\0', 42),
        () => rooms.removeUserFromRoom(42, '\0'),
        () => rooms.watch('\0', 42),
        () => rooms.listen('\0', nothing, { since: -1 }),
        () => queue.logs('\0', { offset: -1 }),
      ]) {
        await refuses(call(), 'E_INVALID_ARGUMENT')
      }
    })

    test('nothing comes from a room that cannot be one, until it is closed', async () => {
      const { rooms } = service
      const watch = await rooms.watch('\0')
      const changes = watch[Symbol.asyncIterator]()
      const listener = await rooms.listen('\0')
      const messages = listener[Symbol.asyncIterator]()
      const ends = [changes.next(), messages.next()]
      await rooms.addUserToRoom('0', 'ann')
      await rooms.send('0', { text: 'hi' })
      assert.equal(watch.users.size, 0)
      await Promise.all([watch.close(), listener.close()])
      for (const end of ends) assert.deepEqual(await end, { done: true, value: undefined })
    })

    for (const [name, methods] of Object.entries(CALLS)) {
      for (const [method, calls] of Object.entries(methods)) {
        for (const [at, { call, result, refused, taken, tooLong = [] }] of calls.entries()) {
          const what = `${name}.${method}${at > 0 ? `, its argument ${at + 1}` : ''}`

          test(`${what}, of what cannot be an id`, async () => {
            for (const id of [...CANNOT_BE, ...tooLong]) {
              const shown = JSON.stringify(id.slice(0, 20))
              if (refused) {
                assertHidden(await refuses(call(made[name], id), 'E_INVALID_ARGUMENT'), id)
                continue
              }
              // Removals that take any string find what calls before them have stored.
              if (taken) await service.getClient().flushDb()
              assert.deepEqual(await call(made[name], id), result, shown)
            }
          })

          test(`${what}, of what is an odd one`, async () => {
            for (const id of CAN_BE) {
              await service.getClient().flushDb()
              const found = await call(made[name], id)
              if (!refused) assert.deepEqual(found, result, JSON.stringify(id))
            }
          })

          test(`${what}, of what is no string`, async () => {
            for (const id of [null, true, 4.5, {}, ['a'], Symbol('id'), 10n]) {
              await refuses(call(made[name], id), 'E_INVALID_ARGUMENT')
            }
          })
        }
      }
    }
  })
}
