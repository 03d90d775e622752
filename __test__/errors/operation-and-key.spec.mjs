import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { CinnabarError, RateLimiter, SessionManager } from 'cinnabar'

import { refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`where an error comes from, on ${engine.name}`, () => {
    test('it names its operation and its key, of which no more than the beginning', async () => {
      const service = await engine.makeService()
      await service.connect()
      const client = service.getClient()
      const long = 'k'.repeat(100)
      await client.rPush('list', 'a')
      await client.rPush(long, 'a')
      await client.rPush('api:name', 'a')
      await client.rPush('lock:it', 'a')
      assert.throws(() => new SessionManager(service, { prefix: 'li', ttl: -1 }), { code: 'E_INVALID_ARGUMENT' })
      for (const [call, command, key] of [
        [() => service.get('list'), 'GET', 'list'],
        [() => service.hGetAll('list'), 'HGETALL', 'list'],
        [() => client.incr('list'), 'INCR', 'list'],
        [() => client.incr(long), 'INCR', `${'k'.repeat(64)}…`],
        [() => client.zAdd('list', [{ score: 1, value: 'a' }]), 'ZADD', 'list'],
        [() => service.locks.releaseLock('it', 'token'), 'RELEASE LOCK', 'lock:it'],
      ]) {
        const error = await refuses(call(), 'E_WRONG_TYPE')
        assert.deepEqual([error.command, error.key], [command, key])
        assert.ok(Object.keys(error).includes('command') && Object.keys(error).includes('key'))
      }
      await service.disconnect()
    })

    test('it shows no key of a session or of a limit', async () => {
      const service = await engine.makeService()
      await service.connect()
      const client = service.getClient()
      await client.rPush('session:secret', 'a')
      await client.rPush('rate_limit:ada@example.com', 'a')
      const own = new SessionManager(service, { prefix: 'own:' })
      new RateLimiter(service, { prefix: 'few:' })
      await own.getSession('secret')
      await client.rPush('own:secret', 'a')
      await client.rPush('few:ada@example.com', 'a')
      for (const [call, command] of [
        [() => service.sessions.storeSession('secret', {}, -1), 'STORE SESSION'],
        [() => service.limiter.checkRateLimit('ada@example.com'), 'RATE LIMIT'],
        [() => service.get('session:secret'), 'GET'],
        [() => service.hGetAll('session:secret'), 'HGETALL'],
        [() => client.incr('session:secret'), 'INCR'],
        [() => client.incr(Buffer.from('session:secret')), 'INCR'],
        [() => client.sendCommand(['INCR', 'session:secret']), 'CUSTOM'],
        [() => client.eval("return redis.call('INCR', KEYS[1])", 1, 'session:secret'), 'EVAL'],
        [() => client.incr('rate_limit:ada@example.com'), 'INCR'],
        [() => client.incr('own:secret'), 'INCR'],
        [() => client.incr('few:ada@example.com'), 'INCR'],
      ]) {
        const error = await call().then(
          () => assert.fail(`${command} was fulfilled`),
          (error) => error,
        )
        assert.ok(error instanceof CinnabarError, error.stack)
        assert.equal(error.command, command)
        assert.equal('key' in error, false)
        assert.doesNotMatch(JSON.stringify({ ...error, message: error.message }), /secret|ada@/)
      }
      const [[error]] = await client.multi().incr('own:secret').exec()
      assert.doesNotMatch(JSON.stringify({ ...error, message: error.message }), /secret/)
      await service.disconnect()
    })
  })
}
