import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { refuses } from './helpers.mjs'
import { engines } from './support/engines.mjs'

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
      for (const [call, command] of [
        [() => service.sessions.storeSession('secret', {}, -1), 'STORE SESSION'],
        [() => service.limiter.checkRateLimit('ada@example.com'), 'RATE LIMIT'],
      ]) {
        const error = await call().then(
          () => assert.fail(`${command} was answered`),
          (error) => error,
        )
        assert.equal(error.command, command)
        assert.equal('key' in error, false)
        assert.doesNotMatch(JSON.stringify({ ...error, message: error.message }), /secret|ada@/)
      }
      await service.disconnect()
    })
  })
}
