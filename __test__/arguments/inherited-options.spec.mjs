// What `Object.prototype` has is no option: it may have been polluted by a body that somebody merged.
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
  const answers = {}
  const heard = new Promise((resolve) => (answers.subscribed = service.subscribe('channel', resolve, {})))
  answers.subscribed = typeof (await answers.subscribed).close
  answers.published = await service.publish('channel', 'text', {})
  answers.heard = await heard
  answers.set = [await service.set('k', 'v', {}), await client.ttl('k'), await client.set('k', 'w', {}), await service.get('k')]
  answers.custom = await client.sendCommand(['GET', 'k'], {})
  await client.zAdd('z', [{ score: 1, value: 'a' }, { score: 2, value: 'b' }])
  answers.range = await client.zRange('z', 0, -1, {})
  const id = await sessions.createSession('ann', { role: 'admin' }, {})
  answers.session = [id.length, await client.ttl('session:' + id) > 1]
  await cache.set('a', 1, {})
  answers.cache = [await cache.get('a'), await cache.getOrSet('b', () => 2, {}), await client.ttl('api:b') > 1]
  answers.with = await service.with({}).get('k')
  answers.limit = (await limiter.check('ann', { limit: 5, windowSeconds: 60 })).remaining
  const queue = service.queue('q', {})
  queue.process(({ attempts }) => attempts, {})
  answers.job = await (await queue.add('n', {}, {})).finished({})
  queue.process(({ attempts }) => attempts, {})
  const many = await queue.addMany([{ name: 'n' }])
  answers.many = await many[0].finished({})
  answers.repeat = (await queue.repeat('r', { everyMs: 3600000, limit: 1 }, 'n', {}, {})).id
  answers.lists = [await queue.list('dead', {}), await queue.redrive({}), await queue.drain({}), await queue.clean('dead', {})]
  await cache.setMany([{ key: 'm', value: 1 }])
  answers.pTTL = [await client.pTTL('api:m') > 200000, await client.get('api:m')]
  answers.image = Object.keys(await cache.setImageInfo('a.png', new Uint8Array(4)))
  const load = () => ({ id: 'ann', name: 'Ann' })
  answers.validated = await sessions.validateSession('token', { load })
  const refused = await sessions.validateSession({ headers: {} }, { load })
  answers.nobody = [refused, await sessions.getSession({ headers: { cookie: 'session=' + id } }, {}) !== null]
  answers.mistake = await sessions.getSession({}).catch(({ code }) => code)
  answers.described = (await sessions.describeSessions('ann', {})).map(({ current, ttl }) => [current, ttl > 1])
  answers.error = await sessions.updateSession('x', 1).catch((error) => ({ ...error }))
  const headers = limiter.headers({ allowed: true, remaining: 1 }, 5)
  answers.headers = headers
  const seen = []
  const watch = await rooms.watch('room', (change) => seen.push(change), {})
  const membership = await rooms.join('room', 'ann', {})
  answers.room = Object.keys(await rooms.getRoomUsers('room'))
  await membership.leave()
  await watch.close()
  const listening = await rooms.listen('room', {})
  await listening.close()
  answers.instances = [new SessionManager(service, {}), new JobQueue('p', { service })].length
  answers.health = [(await service.healthCheck()).status, (await healthCheck(service, {})).status]
  answers.handled = (await healthHandler({ service })()).status
  await service.disconnect({})
  for (const name of Object.keys(polluted)) delete Object.prototype[name]
  console.log(JSON.stringify(answers))`

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
