import assert from 'node:assert/strict'
import { AsyncLocalStorage } from 'node:async_hooks'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'

import { RedisService } from 'cinnabar'

import { root, runNode } from '../helpers.mjs'
import { engines, temporaryFolder } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`AsyncLocalStorage on ${engine.name}`, () => {
    test('survives every kind of call, however many share a tick', async () => {
      const service = await engine.makeService()
      await service.connect()
      const storage = new AsyncLocalStorage()
      const client = service.getClient()
      const calls = [
        () => service.get('k'),
        () => service.set('k', 'v'),
        () => client.incr('n'),
        () => client.multi().incr('n').exec(),
        () => client.sendCommand(['PING']),
        () => service.publish('c', 1),
        () => service.connect(),
        () => service.healthCheck(),
        () => service.sessions.create('u'),
        () => service.sessions.get('none'),
        () =>
          service.sessions.validateSession('t', { load: () => (assert.notEqual(storage.getStore(), undefined), null) }),
        () => service.cache.get('k'),
        () => service.cache.set('k', 1),
        () => service.cache.getOrSet(`k${storage.getStore()}`, (key) => assert.equal(key, `k${storage.getStore()}`)),
        () => service.limiter.checkRateLimit('u'),
        () =>
          service.locks.withLock(`r${storage.getStore()}`, async () => assert.notEqual(storage.getStore(), undefined)),
        () => service.rooms.storeMessage('r', { a: 1 }),
        () => service.queue('q').add('n'),
        () => service.queue('q').counts(),
        () => service.get('').catch(() => 'rejected'),
      ]
      await Promise.all(
        Array.from({ length: 50 }, (_, request) =>
          storage.run(request, async () => {
            for (const call of calls) {
              await call()
              assert.equal(storage.getStore(), request)
              await call().then(() => assert.equal(storage.getStore(), request))
            }
          }),
        ),
      )
      await service.disconnect()
    })
  })
}

describe('the stack of an error', () => {
  const source = `
    import { RedisService } from 'cinnabar'
    const service = new RedisService({ url: 'memory:' })
    await service.hSet('h', 'f', 'v')
    async function handler(call) {
      await null
      return call()
    }
    const stacks = []
    for (const call of [
      () => service.get('h'), // line 10
      () => service.cache.get('h', service.cache.invalidate('x')).then(() => service.set(undefined)), // line 11
      () => service.getClient().incr('h'), // line 12
      () => service.cache.set('k', undefined), // line 13
      () => service.locks.withLock('r', () => service.get('h')), // line 14
    ]) {
      stacks.push(await handler(call).then(() => 'no error', (error) => error.stack))
    }
    console.log(JSON.stringify(stacks))`

  const stacksWith = async (env, text = source) => {
    // A file, so that lines have a name; inside the package, so that it can import it.
    const folder = temporaryFolder('context')
    const file = join(folder, 'caller.mjs')
    writeFileSync(file, text.replace(`'cinnabar'`, JSON.stringify(join(root, 'index.js'))).trimStart())
    const { status, out, err } = await runNode([file], { env })
    assert.equal(status, 0, err)
    return JSON.parse(out)
  }

  test("names the caller's line in development", async () => {
    const stacks = await stacksWith({ NODE_ENV: 'development' })
    for (const [i, stack] of stacks.entries()) {
      if (i === 1) continue
      const line = 10 + i
      assert.match(stack, new RegExp(`caller\\.mjs:${line}:`), stack)
      const [first, frame] = stack.split('\n')
      assert.match(first, /^CinnabarError: ./)
      // A refusal is made on the spot, and its own stack says where.
      if (i !== 3) assert.match(frame, /caller\.mjs/, `the first frame is not the caller's:\n${stack}`)
    }
  })

  test("names the caller's line wherever that is asked for", async () => {
    for (const stack of await stacksWith({ NODE_ENV: 'production', CINNABAR_STACKS: '1' })) {
      assert.match(stack, /caller\.mjs:1\d:/)
    }
    const url = "url: 'memory:'"
    for (const stack of await stacksWith({ NODE_ENV: 'production' }, source.replace(url, `${url}, stacks: true`))) {
      assert.match(stack, /caller\.mjs:1\d:/)
    }
    assert.throws(() => new RedisService({ url: 'memory:', stacks: 'yes' }), { code: 'E_INVALID_SETTINGS' })
  })

  test('costs nothing elsewhere, and still begins with name and message', async () => {
    for (const stack of await stacksWith({ NODE_ENV: 'production' })) assert.match(stack, /^CinnabarError: ./)
  })
})
