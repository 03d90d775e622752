// The driver fred, in short; `npm run drivers` runs the specs of all features on it.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { startRedis } from '../support/redis.mjs'

describe('the driver fred', () => {
  let server
  let service

  before(async () => {
    server = await startRedis()
    service = new RedisService({ url: server.url, driver: 'fred', log: false })
  })

  after(async () => {
    await service.disconnect()
    await server.stop()
  })

  test('reads values that it could take for messages, and gives each call its own', async () => {
    const client = service.getClient()
    const words = ['message', 'smessage', 'pmessage', 'subscribe', 'unsubscribe', 'pubsub']
    await client.set('victim', 'theirs')
    for (const word of words) {
      await client.mSet({ a: word, b: 'x', c: 'y' })
      await client.hSet(`hash:${word}`, word, 'x')
      await client.hSet(`hash:${word}`, 'y', 'z')
      const [values, hash, victim] = await Promise.all([
        client.mGet(['a', 'b', 'c']),
        client.hGetAll(`hash:${word}`),
        client.get('victim'),
      ])
      assert.deepEqual(values, [word, 'x', 'y'])
      assert.deepEqual({ ...hash }, { [word]: 'x', y: 'z' })
      assert.equal(victim, 'theirs')
    }
  })

  test('pads the reads of one tick that become one command', async () => {
    await Promise.all(['message', 'x', 'y'].map((value, i) => service.cache.set(`merged:${i}`, value)))
    const values = await Promise.all([0, 1, 2].map((i) => service.cache.get(`merged:${i}`)))
    assert.deepEqual(values, ['message', 'x', 'y'])
  })

  test('refuses what it cannot keep from such a reply, and sends nothing', async () => {
    const error = await service
      .getClient()
      .sendCommand(['FCALL', 'any', '0'])
      .catch((error) => error)
    assert.equal(error.code, 'E_UNSUPPORTED')
    assert.match(error.message, /fred/)
  })

  test('runs transactions and scripts whose reply begins with such a word', async () => {
    const client = service.getClient()
    await client.set('first', 'message')
    const replies = await client.multi().get('first').get('a').get('b').exec()
    const values = replies.map(([, value]) => value)
    assert.deepEqual(values, ['message', 'pubsub', 'x'])
    const list = await client.eval("return {'subscribe', 'b', 'c'}", 0)
    assert.deepEqual(list, ['subscribe', 'b', 'c'])
  })

  test('carries sessions, locks and messages', async () => {
    const id = await service.sessions.createSession('message')
    assert.equal((await service.sessions.getSession(id)).userId, 'message')
    const token = await service.locks.acquireLock('subscribe', 1000)
    assert.ok(token)
    assert.equal(await service.locks.releaseLock('subscribe', token), true)
    const received = Promise.withResolvers?.() ?? deferred()
    await service.subscribe('channel', received.resolve)
    await service.publish('channel', 'hello')
    assert.equal(await received.promise, 'hello')
  })
})

function deferred() {
  let resolve
  const promise = new Promise((done) => (resolve = done))
  return { promise, resolve }
}
