// What `Object.prototype` has is no option: it may have been polluted by a merged request body.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { runJson } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { declarations } from '../support/types.mjs'

// Whatever may be left out, by name: a new option is among them.
const NAMES = [...new Set([...declarations.matchAll(/^\s+(?:readonly )?(\w+)\?: /gm)].map(([, name]) => name))]

/** Each name with the same value, which most options refuse. */
const everyName = (value) => Object.fromEntries(NAMES.map((name) => [name, value]))

// Values that would be taken.
const POLLUTED = {
  url: 'redis://127.0.0.1:1',
  host: '127.0.0.1',
  port: 1,
  db: 3,
  username: 'polluted',
  password: 'polluted',
  log: false,
  stacks: true,
  onUnavailable: 'empty',
  headers: { authorization: 'Bearer polluted' },
  userId: 'polluted',
  code: 'E_AUTH',
  retryable: true,
  key: 'polluted',
  command: 'polluted',
  cause: 'polluted',
  done: 9,
  EX: 1,
  NX: true,
  XX: true,
  GET: true,
  KEEPTTL: true,
  MATCH: 'nothing',
  BY: 'SCORE',
  REV: true,
  LIMIT: { offset: 9, count: 9 },
  buffers: true,
  ttl: 1,
  tags: ['polluted'],
  id: 'polluted',
  cookie: 'polluted',
  prefix: 'polluted:',
  timeoutMs: 1,
  signal: 'polluted',
  sharded: true,
  pattern: true,
  delay: 60_000,
  attempts: 7,
  concurrency: 0,
  drainMs: -1,
  limit: 0,
  windowSeconds: 0,
  onError: 'polluted',
}

const CALLS = `
  import { JobQueue, RedisService, SessionManager, healthCheck, healthHandler } from 'cinnabar'
  // Node.js itself reads inherited options when it opens these.
  void [process.stdout, process.stderr, await new Response('').text()]
  const polluted = JSON.parse(process.env.POLLUTED)
  Object.assign(Object.prototype, polluted)
  const service = new RedisService({ log: false })
  const { cache, limiter, locks, rooms, sessions } = service
  const client = service.getClient()
  const results = {}
  const heard = new Promise((resolve) => (results.subscribed = service.subscribe('channel', resolve, {})))
  results.subscribed = typeof (await results.subscribed).close
  results.published = await service.publish('channel', 'text', {})
  results.heard = await heard
  results.set = [await service.set('k', 'v', {}), await client.ttl('k'), await client.set('k', 'w', {}), await service.get('k')]
  results.custom = await client.sendCommand(['GET', 'k'], {})
  await client.zAdd('z', [{ score: 1, value: 'a' }, { score: 2, value: 'b' }])
  results.range = await client.zRange('z', 0, -1, {})
  const id = await sessions.createSession('ann', { role: 'admin' }, {})
  results.session = [id.length, await client.ttl('session:' + id) > 1]
  await cache.set('a', 1, {})
  results.cache = [await cache.get('a'), await cache.getOrSet('b', () => 2, {}), await client.ttl('api:b') > 1]
  results.with = await service.with({}).get('k')
  results.limit = (await limiter.check('ann', { limit: 5, windowSeconds: 60 })).remaining
  const queue = service.queue('q', {})
  queue.process(({ attempts }) => attempts, {})
  results.job = await (await queue.add('n', {}, {})).finished({})
  queue.process(({ attempts }) => attempts, {})
  const many = await queue.addMany([{ name: 'n' }])
  results.many = await many[0].finished({})
  results.repeat = (await queue.repeat('r', { everyMs: 3600000, limit: 1 }, 'n', {}, {})).id
  results.lists = [await queue.list('dead', {}), await queue.redrive({}), await queue.drain({}), await queue.clean('dead', {})]
  await cache.setMany([{ key: 'm', value: 1 }])
  results.pTTL = [await client.pTTL('api:m') > 200000, await client.get('api:m')]
  results.image = Object.keys(await cache.setImageInfo('a.png', new Uint8Array(4)))
  const load = () => ({ id: 'ann', name: 'Ann' })
  results.validated = await sessions.validateSession('token', { load })
  const refused = await sessions.validateSession({ headers: {} }, { load })
  results.rejected = [refused, await sessions.getSession({ headers: { cookie: 'session=' + id } }, {}) !== null]
  results.mistake = await sessions.getSession({}).catch(({ code }) => code)
  results.described = (await sessions.describeSessions('ann', {})).map(({ current, ttl }) => [current, ttl > 1])
  results.error = await sessions.updateSession('x', 1).catch((error) => ({ ...error }))
  const headers = limiter.headers({ allowed: true, remaining: 1 }, 5)
  results.headers = headers
  const seen = []
  const watch = await rooms.watch('room', (change) => seen.push(change), {})
  const membership = await rooms.join('room', 'ann', {})
  results.room = Object.keys(await rooms.getRoomUsers('room'))
  await membership.leave()
  await watch.close()
  const listening = await rooms.listen('room', {})
  await listening.close()
  results.instances = [new SessionManager(service, {}), new JobQueue('p', { service })].length
  results.health = [(await service.healthCheck()).status, (await healthCheck(service, {})).status]
  results.handled = (await healthHandler({ service })()).status
  await service.disconnect({})
  for (const name of Object.keys(polluted)) delete Object.prototype[name]
  console.log(JSON.stringify(results))`

for (const engine of engines) {
  describe(`options that an object inherits on ${engine.name}`, () => {
    test('are none, wherever options are read', async () => {
      const run = async (polluted) => {
        if (engine.server) await engine.server.command('FLUSHALL')
        return runJson(CALLS, { env: { ...engine.env(), POLLUTED: JSON.stringify(polluted) } })
      }
      const clean = await run({})
      assert.deepEqual(clean.set, ['OK', -1, 'OK', 'w'])
      assert.equal(clean.job, 3)
      assert.equal(clean.many, 3)
      assert.equal(clean.error.code, 'E_INVALID_ARGUMENT')
      assert.deepEqual([clean.health, clean.handled], [['connected', 'healthy'], 200])
      assert.deepEqual(await run(POLLUTED), clean)
      assert.ok(
        NAMES.length > 100 &&
          ['url', 'ttl', 'tags', 'leaseMs', 'staleWhileRevalidate'].every((name) => NAMES.includes(name)),
      )
      for (const value of ['polluted', -1, true, {}])
        assert.deepEqual(await run(everyName(value)), clean, String(value))
    })
  })
}
