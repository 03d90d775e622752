// Every call of each feature, for specs that ask whether a server lets all of it happen.

import assert from 'node:assert/strict'

import { ApiCache, RateLimiter, SessionManager } from 'cinnabar'
import { secondaryStorage } from 'cinnabar/better-auth'
import { CinnabarStore } from 'cinnabar/express-session'
import { CinnabarKeyvStore } from 'cinnabar/keyv'
import { createCacheHandler } from 'cinnabar/next/cache-handler'
import { createCacheHandlers } from 'cinnabar/next/cache-handlers'
import { cinnabarDriver } from 'cinnabar/unstorage'
import Keyv from 'keyv'
import { createStorage } from 'unstorage'

import { refuses, until } from '../helpers.mjs'
import { pageOf, put, textOf } from './next-cache.mjs'

async function sessions(service) {
  await sessionsWithoutEvents(service)
  await sessionEvents(service)
}

/** The same as `sessions`, for who may not use channels. */
export async function sessionsWithoutEvents(service) {
  await sessionsById(service)
  await requestSessions(service)
  await boundConnections(service)
}

async function sessionsById({ sessions }) {
  const id = await sessions.createSession('ann', { role: 'admin' }, { tags: ['team'] })
  assert.equal((await sessions.getSession(id)).role, 'admin')
  assert.equal(await sessions.updateSession(id, { role: 'guest' }), true)
  assert.equal(await sessions.updateSession(id, {}, { ttl: 90, remove: ['role'] }), true)
  assert.equal(await sessions.touch(id), true)
  assert.equal(await sessions.extendSession(id, 60), true)
  await sessions.storeSession('mine', { userId: 'ann' }, 60)
  assert.ok((await sessions.listSessions('ann')).length > 0)
  assert.equal(await sessions.destroySession(id), 1)
  await sessions.createSession('ann', {}, { tags: ['team'] })
  assert.equal(await sessions.destroyByTag('team'), 1)
  const load = () => ({ id: 'ann' })
  assert.deepEqual(await sessions.validateSession('token', { load }), { id: 'ann' })
  assert.deepEqual(await sessions.validateSession('token', { load }), { id: 'ann' })
  await sessions.invalidateUser('ann')
  assert.deepEqual(await sessions.listSessions('ann'), [])
}

async function boundConnections({ sessions }) {
  const session = await sessions.fromRequest({ headers: {} })
  await session.signIn('eli')
  const [first, second] = [[], []]
  const left = await sessions.bind(session, (reason) => first.push(reason), { state: { rooms: [] } })
  await sessions.bind(session, (reason) => second.push(reason))
  assert.equal(await left.update({ rooms: ['lobby'] }), true)
  assert.equal((await sessions.connections('eli')).length, 2)
  await left.unbind()
  await session.destroy()
  // Without channels, when its session is read the next time.
  await until('it is closed', () => second.length > 0)
  assert.deepEqual([first.length, second.length], [0, 1])
}

async function sessionEvents({ sessions }) {
  const events = []
  const watching = await sessions.watch((event) => events.push(event.type))
  const id = await sessions.createSession('fay')
  await sessions.destroySession(id)
  await until('it is reported', () => events.length > 0)
  assert.deepEqual(events, ['ended'])
  await watching.close()
}

async function requestSessions(service) {
  const encryption = { keys: [{ id: 'k1', key: new Uint8Array(32) }] }
  for (const options of [{ absoluteTtl: 3600 }, { rolling: true }, { encryption }]) {
    const manager = new SessionManager(service, { cookie: { secure: true }, ...options })
    const cookieOf = (session) => ({ headers: { cookie: session.setCookie.split(';')[0] } })
    const session = await manager.fromRequest({ headers: {} })
    await session.signIn('bea', { role: 'admin' }, { tags: ['team'] })
    await session.signIn('bea', { theme: 'dark' })
    assert.equal(await session.update({ role: 'guest' }), true)
    const before = cookieOf(session)
    assert.equal(await session.rotate(), true)
    for (const request of [before, cookieOf(session)])
      assert.equal((await manager.fromRequest(request)).data.role, 'guest')
    assert.equal((await manager.describeSessions('bea')).length, 1)
    assert.ok((await manager.length()) > 0)
    assert.equal(await session.rotate({ graceSeconds: 0 }), true)
    assert.equal((await manager.fromRequest(before)).data, null)
    const token = session.setCookie.split(/[=;]/)[1]
    assert.equal(await manager.touch(token), true)
    assert.equal(await manager.extendSession(token, 1800), true)
    await manager.createSession('bea', {}, { id: `chosen ${Object.keys(options)}` })
    await manager.storeSession('stored', { a: 1 }, 60)
    await manager.updateSession('stored', { userId: 'bea' })
    assert.equal(await session.destroy(), 1)
    assert.equal(await manager.invalidateUser('bea'), 2)
    const visit = await manager.fromRequest({ headers: {} })
    await visit.start({ cart: [1] })
    await visit.signIn('dee')
    assert.equal((await visit.devices()).length, 1)
    assert.equal(await visit.revokeOthers(), 0)
    assert.equal(await visit.destroy(), 1)
    const limited = new SessionManager(service, { cookie: { secure: true }, maxPerUser: 1, ...options })
    const first = await limited.fromRequest({ headers: {} })
    await first.signIn('cy', {}, { tags: ['team'] })
    const { ended } = await (await limited.fromRequest({ headers: {} })).signIn('cy')
    assert.equal(ended.length, 1)
    assert.equal((await limited.fromRequest(cookieOf(first))).data, null)
    assert.equal(await limited.invalidateUser('cy'), 1)
  }
}

async function expressSession(service) {
  const store = new CinnabarStore({ service })
  await store.set('1', { n: 1, cookie: {} })
  const data = await store.get('1')
  await store.set('1', { ...data, n: 2 })
  data.m = 3
  await store.set('1', data)
  await store.touch('1', data)
  assert.deepEqual({ ...(await store.all())[0], cookie: 0 }, { n: 2, m: 3, id: '1', cookie: 0 })
  assert.equal(await store.length(), 1)
  await store.destroy('1')
  await store.set('2', { cookie: {} })
  await store.clear()
  assert.deepEqual(await store.ids(), [])
}

async function betterAuth(service) {
  const storage = secondaryStorage(service)
  await storage.set('a', 'b', 60)
  assert.equal(await storage.get('a'), 'b')
  assert.equal(await storage.getAndDelete('a'), 'b')
  await storage.set('a', 'b')
  await storage.delete('a')
  assert.deepEqual([await storage.increment('n', 60), await storage.increment('n', 60)], [1, 2])
}

async function keyv(service) {
  const keyv = new Keyv({ store: new CinnabarKeyvStore({ service }), throwOnErrors: true })
  await keyv.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2, ttl: 60_000 }]) // prettier-ignore
  assert.deepEqual(await keyv.getMany(['a', 'b', 'c']), [1, 2, undefined])
  assert.equal(await keyv.get('a'), 1)
  assert.deepEqual(await keyv.hasMany(['a', 'c']), [true, false])
  assert.equal(await keyv.delete('a'), true)
  assert.equal(await keyv.deleteMany(['a', 'c']), false)
  for await (const pair of keyv.iterator()) assert.deepEqual(pair, ['b', 2])
  await keyv.clear()
  const whole = new CinnabarKeyvStore({ service })
  assert.equal(await whole.set('a', 'text'), true)
  await whole.clear()
  assert.equal(await whole.get('a'), undefined)
}

async function unstorage(service) {
  const driver = cinnabarDriver({ service })
  const storage = createStorage({ driver })
  await storage.setItems([{ key: 'a', value: 1 }, { key: 'b:c', value: 2, options: { ttl: 60 } }]) // prettier-ignore
  assert.equal(await storage.getItem('a'), 1)
  assert.equal((await storage.getItems(['a', 'b:c']))[1].value, 2)
  assert.ok((await storage.getMeta('b:c')).ttl > 50)
  assert.equal(await storage.hasItem('x'), false)
  await storage.setItemRaw('raw', Buffer.from([1]))
  await storage.removeItem('raw')
  assert.deepEqual(await storage.getKeys('b'), ['b:c'])
  await driver.clear('b:')
  await storage.clear()
  assert.deepEqual(await storage.getKeys(), [])
}

async function nextCache(service) {
  const handlers = createCacheHandlers({ service, log: false })
  const Handler = createCacheHandler({ service, log: false, buildId: 'one', maxEntryBytes: 4096 })
  const handler = new Handler({ revalidatedTags: [] })
  await put(handlers, 'key', 'value', { tags: ['a'] })
  assert.equal(await textOf(await handlers.get('key', ['b'])), 'value')
  const page = { kind: 'APP_PAGE' }
  assert.equal(await handler.get('/page', page), null)
  await handler.set('/page', pageOf('page', ['a']), { cacheControl: { revalidate: 60, expire: 600 } })
  assert.equal((await handler.get('/page', page)).value.html, 'page')
  await handlers.updateTags(['a'], { expire: 60 })
  await handler.revalidateTag('a')
  assert.equal(await handlers.get('key', ['b']), undefined)
  await handler.set('/page', pageOf('x'.repeat(5000)), { cacheControl: { revalidate: 60, expire: 600 } })
  assert.deepEqual([handlers.stats().failures, Handler.stats().failures, Handler.stats().tooLarge], [0, 0, 1])
}

async function cache(service) {
  const { cache } = service
  await cache.set('plain', 1)
  await cache.set('tagged', 2, { tags: ['team'], staleWhileRevalidate: 60 })
  await cache.setMany([{ key: 'one', value: 1 }, { key: 'two', value: 2, tags: ['team'] }]) // prettier-ignore
  assert.deepEqual(await cache.getMany(['plain', 'tagged', 'one', 'two']), [1, 2, 1, 2])
  assert.equal(await cache.getOrSet('loaded', () => 3, { tags: ['team'] }), 3)
  assert.equal(await cache.get('loaded'), 3)
  const shared = new ApiCache(service, { sharedLoads: true })
  // Longer than its claim is renewed after.
  const load = () => new Promise((resolve) => setTimeout(resolve, 1200, 4))
  assert.equal(await shared.getOrSet('shared', load), 4)
  await cache.invalidateByTag('team')
  assert.deepEqual(await cache.getMany(['plain', 'tagged', 'loaded']), [1, null, null])
  assert.equal(await cache.invalidate('plain'), 1)
  for await (const entry of cache.entries()) assert.ok(Array.isArray(entry))
  await cache.set('tagged', 2, { tags: ['team'], staleWhileRevalidate: 60 })
  await cache.expireByTag('team')
  const eager = { tags: ['team'], eagerRefresh: 0.5, staleWhileRevalidate: 60 }
  assert.deepEqual(await cache.lookup('tagged', () => 3, eager), { value: 2, source: 'stale' })
  await cache.invalidateByPattern('*')
  assert.equal(await cache.get('one'), null)
  const clearable = new ApiCache(service, { clearable: true, codec: 'structured', compress: { minBytes: 10 } })
  await clearable.set('one', 1)
  await clearable.clear()
  assert.equal(await clearable.get('one'), null)
  await cache.clear()
  await cache.setImageInfo('a.png', { size: 1, type: 'image/png', hash: 'h', timestamp: 1 })
  assert.equal((await cache.getImageInfo('a.png')).size, 1)
  assert.equal(await cache.invalidateImage('a.png'), 1)
}

async function limiter(service) {
  const { limiter } = service
  assert.equal((await limiter.checkRateLimit('ann', 1, 60)).allowed, true)
  assert.equal((await limiter.checkRateLimit('ann', 1, 60)).allowed, false)
  assert.equal(await limiter.resetRateLimit('ann'), 1)
  assert.equal((await limiter.check(limiter.keyForRoute('127.0.0.1', '/login'), 'AUTH')).allowed, true)
  await policies(service)
}

async function policies(service) {
  const limiter = new RateLimiter(service, {
    policies: {
      gcra: { limit: 5, per: 60 },
      sliding: { algorithm: 'sliding-window', limit: 5, per: 60 },
      fixed: { algorithm: 'fixed-window', limit: 5, per: 60 },
      daily: { limit: 5, per: 'day' },
      slots: { algorithm: 'concurrency', limit: 1, leaseMs: 1000 },
      shared: { algorithm: 'fixed-window', limit: 5, per: 60, mode: 'shares' },
    },
  })
  for (const allowed of [true, true, true, true, true, false]) {
    assert.equal((await limiter.check('shared', 'ann')).allowed, allowed)
  }
  const slot = await limiter.acquire('slots', 'ann')
  assert.equal((await limiter.acquire('slots', 'ann')).allowed, false)
  for (const policy of ['gcra', 'sliding', 'fixed', 'daily']) {
    const { charge } = await limiter.check(policy, 'ann', { cost: 2, refundable: true })
    assert.equal(await limiter.settle(policy, 'ann', charge, 1), true)
    assert.equal((await limiter.peek(policy, 'ann')).remaining, 4)
    assert.equal(await limiter.override(policy, 'ann', { limit: 9, ttlSeconds: 60 }), true)
    assert.equal((await limiter.penalize(policy, 'ann', { cost: 99 })).remaining, 0)
    assert.equal(await limiter.restore(policy, 'ann'), true)
    assert.equal(await limiter.block(policy, 'ann', 60), true)
    assert.equal(await limiter.unblock(policy, 'ann'), true)
    assert.equal(await limiter.reset(policy, 'ann'), true)
    assert.equal((await limiter.wait(policy, 'ann')).allowed, true)
  }
  // Leases are renewed in real time: for longer than the first.
  await new Promise((resolve) => setTimeout(resolve, 1100))
  assert.deepEqual([slot.isTaken, await slot.release()], [true, true])
  const checks = ['gcra', 'daily'].map((policy) => ({ policy, identifier: 'bea' }))
  assert.equal((await limiter.checkAll(checks)).allowed, true)
}

async function locks({ locks }) {
  const token = await locks.acquireLock('it', 5)
  assert.equal(await locks.acquireLock('it', 5), null)
  assert.equal(await locks.extendLock('it', token, 10), true)
  assert.equal(await locks.releaseLock('it', token), true)
  assert.equal(await locks.withLock('it', () => 42), 42)
  const lock = await locks.acquire('it', { ttlSeconds: 5 })
  assert.equal(await lock.extend(10), true)
  assert.equal((await locks.info('it')).held, true)
  const waiting = locks.acquire('it', { wait: {} })
  await refuses(locks.acquire('it', { wait: { timeoutMs: 100 } }), 'E_LOCK_HELD')
  assert.equal(await lock.release(), 'released')
  assert.equal(await (await waiting).release(), 'released')
  const first = await locks.acquire('it', { wait: { fair: true } })
  const second = locks.acquire('it', { wait: { fair: true } })
  await refuses(locks.acquire('it', { wait: { fair: true, timeoutMs: 100 } }), 'E_LOCK_HELD')
  assert.equal(await first.release(), 'released')
  assert.equal(await (await second).release(), 'released')
  const read = { mode: 'read' }
  const readers = await locks.acquireAll(['it', 'that'], read)
  assert.equal(await readers.locks[0].extend(10), true)
  const neighbour = await locks.acquire('it', { ...read, wait: {} })
  const turn = await locks.acquire('it', { ...read, wait: { fair: true } })
  const writing = locks.acquire('it', { wait: {} })
  for await (const { resource, holders } of locks.list()) {
    if (resource === 'it') assert.equal(holders.length, 3)
  }
  for (const reader of [readers, neighbour, turn]) await reader.release()
  const writer = await writing
  const reading = locks.acquire('it', { ...read, wait: {} })
  const queued = locks.acquire('it', { ...read, wait: { fair: true } })
  await refuses(locks.acquire('it', { ...read, wait: { timeoutMs: 100 } }), 'E_LOCK_HELD')
  assert.equal(await writer.release(), 'released')
  for (const reader of [await reading, await queued]) await reader.release()
}

async function rooms({ rooms }) {
  await rooms.addUserToRoom('lobby', 'ann', { name: 'Ann' })
  assert.deepEqual(Object.keys(await rooms.getRoomUsers('lobby')), ['ann'])
  await rooms.storeMessage('lobby', { text: 'hi' })
  assert.equal((await rooms.getRecentMessages('lobby'))[0].text, 'hi')
  const changes = []
  const watch = await rooms.watch('lobby', (change) => changes.push(change))
  const heard = []
  const listener = await rooms.listen('lobby', (message) => heard.push(message.text))
  const own = await rooms.join('lobby', 'cid')
  await rooms.send('lobby', { text: 'all' })
  await until('the message is heard', () => heard.includes('all'))
  await until('the join is seen', () => changes.length > 0)
  await own.leave()
  assert.equal(await rooms.removeUserFromRoom('lobby', 'ann'), 1)
  await listener.close()
  await watch.close()
}

async function queue(service) {
  const queue = service.queue('mail')
  const worker = queue.process(
    async (job, { progress, log }) => {
      progress(0.5)
      log('a line')
      if (job.name === 'bad') throw new Error('no')
      return job.data
    },
    { concurrency: 2 },
  )
  const job = await queue.add('good', { n: 1 })
  assert.deepEqual(await job.finished(), { n: 1 })
  const bad = await queue.add('bad', {}, { attempts: 1 })
  await assert.rejects(bad.finished(), { code: 'E_JOB_FAILED' })
  await worker.close()
  assert.deepEqual(await queue.logs(bad.id), ['a line'])
  assert.equal((await queue.list('dead')).length, 1)
  assert.equal(await queue.retry(bad.id), true)
  await queue.addMany([{ name: 'late', data: {}, delay: 60_000 }, { name: 'grouped', data: {}, group: 'g' }]) // prettier-ignore
  await queue.add('once', {}, { dedup: { id: 'same' } })
  await queue.pause()
  await queue.resume()
  await queue.repeat('daily', { cron: '0 3 * * *' }, 'report', {})
  assert.equal((await queue.repeats()).length, 1)
  assert.equal(await queue.unrepeat('daily'), true)
  assert.ok((await queue.counts()).ready > 0)
  assert.equal((await queue.get(bad.id)).id, bad.id)
  assert.equal(await queue.remove(bad.id), true)
  await queue.redrive()
  await queue.drain({ delayed: true })
  await queue.clean('done', { olderThanMs: 0 })
  await queue.close()
}

/** What rooms do for a user who may not use their channels. */
export async function roomsUnheard({ rooms }) {
  await rooms.addUserToRoom('lobby', 'ada')
  const membership = await rooms.join('lobby', 'bob')
  const first = await rooms.send('lobby', { text: 'a' })
  assert.equal(await rooms.send('lobby', { text: 'b' }), first + 1)
  await rooms.storeMessage('lobby', { text: 'c' })
  assert.equal((await rooms.getRecentMessages('lobby')).length, 3)
  assert.deepEqual(Object.keys(await rooms.getRoomUsers('lobby')).sort(), ['ada', 'bob'])
  await membership.leave()
  await rooms.removeUserFromRoom('lobby', 'ada')
  assert.deepEqual(Object.keys(await rooms.getRoomUsers('lobby')), [])
  for (const follow of ['listen', 'watch'])
    await refuses(
      rooms[follow]('lobby', () => {}),
      'E_AUTH',
    )
}

/** By the name that the access page gives a feature. */
export const everything = {
  sessions,
  'express-session': expressSession,
  'better-auth': betterAuth,
  keyv,
  unstorage,
  cache,
  'next cache': nextCache,
  'rate limits': limiter,
  locks,
  rooms,
  queues: queue,
}
