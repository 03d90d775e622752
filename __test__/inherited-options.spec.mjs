// What an object inherits is no option: `Object.prototype` may have been polluted by a body that somebody merged.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { runJson } from './helpers.mjs'
import { engines } from './support/engines.mjs'

const POLLUTED = {
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
  import { RedisService } from 'cinnabar'
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
  answers.health = (await service.healthCheck()).status
  await service.disconnect({})
  // Node.js itself reads inherited options when it opens the standard output.
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
      assert.deepEqual(await run(POLLUTED), clean)
    })
  })
}
