// Locks of several resources as one handle.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { refuses, until, rawClient } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`locks of several resources on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const service = await engine.makeService()
      try {
        await run(service.locks, await rawClient(service))
      } finally {
        await service.disconnect()
      }
    }
    const keys = (...names) => names.map((name) => `lock:${name}`)

    test(
      'are acquired, held and released together',
      withService(async (locks, client) => {
        const group = await locks.acquireAll(['b', 'a', 'b', 'c'])
        assert.deepEqual(
          group.locks.map(({ resource }) => resource),
          ['a', 'b', 'c'],
        )
        assert.ok(Object.isFrozen(group.locks))
        assert.equal(group.held, true)
        assert.equal(group.signal.aborted, false)
        for (const { resource, token } of group.locks) assert.equal(await client.get(`lock:${resource}`), token)
        assert.deepEqual(await group.release(), ['released', 'released', 'released'])
        assert.deepEqual(await group.release(), ['released', 'released', 'released'])
        assert.equal(group.held, false)
        assert.equal(await client.exists(keys('a', 'b', 'c')), 0)
      }),
    )

    test(
      'are released if one of them cannot be acquired',
      withService(async (locks, client) => {
        const b = await locks.acquire('b')
        await assert.rejects(locks.acquireAll(['c', 'b', 'a']), { code: 'E_LOCK_HELD', message: /: b$/ })
        assert.equal(await client.exists(keys('a', 'c')), 0)
        await refuses(locks.acquireAll(['a', 'b'], { wait: { timeoutMs: 50 } }), 'E_LOCK_HELD')
        const controller = new AbortController()
        const waiting = locks.acquireAll(['a', 'b'], { wait: { signal: controller.signal } })
        await until('it waits', () => client.exists('lock:{lock:b}:waiting'))
        controller.abort()
        await refuses(waiting, 'E_ABORTED')
        assert.equal(await client.exists(keys('a', 'c')), 0)
        const next = locks.acquireAll(['a', 'b'], { wait: { fair: true } })
        await until('it waits', () => client.exists('lock:{lock:b}:queue'))
        await b.release()
        assert.equal((await next).held, true)
        await (await next).release()
      }),
    )

    test(
      'are lost together',
      withService(async (locks, client) => {
        const group = await locks.acquireAll(['a', 'b'])
        const aborted = new Promise((resolve) => group.signal.addEventListener('abort', resolve))
        const [a, b] = group.locks
        await client.set('lock:b', 'of another')
        assert.equal(await b.extend(), false)
        await aborted
        assert.equal(group.signal.reason.code, 'E_LOCK_LOST')
        assert.deepEqual([group.held, a.held, b.held], [false, true, false])
        assert.deepEqual(await group.release(), ['released', 'already-lost'])
        const late = await locks.acquireAll(['c'])
        await client.del('lock:c')
        assert.equal(await late.locks[0].extend(), false)
        assert.equal(late.signal.aborted, true)
        assert.deepEqual(await late.release(), ['already-lost'])
      }),
    )

    test(
      'never wait for each other',
      withService(async (locks, client) => {
        const names = ['a', 'b', 'c', 'd']
        let inside = 0
        const run = async (n) => {
          const wanted = names.filter((_, at) => (n >> at) & 1)
          const group = await locks.acquireAll(n % 2 ? wanted : wanted.reverse(), { wait: { timeoutMs: 20_000 } })
          if (wanted.length === 4) assert.equal(inside, 0)
          inside += 1
          await client.ping()
          inside -= 1
          await group.release()
        }
        await Promise.all(Array.from({ length: 60 }, (_, n) => run(1 + (n % 15))))
        assert.equal(await client.exists(keys(...names)), 0)
      }),
    )

    test(
      'are an array of strings',
      withService(async (locks, client) => {
        for (const [resources, message] of [
          ['a', 'resources must be an array, got a string'],
          [undefined, 'resources must be an array, got undefined'],
          [[], 'resources must not be empty'],
          [['a', 1], 'resources[1] must be a string, got a number'],
          [['a', , 'b'], 'resources[1] must be a string, got undefined'],
        ]) {
          await assert.rejects(locks.acquireAll(resources), { code: 'E_INVALID_ARGUMENT', message })
        }
        await client.set('lock:a', 'of another')
        // Not E_LOCK_HELD: nothing is sent.
        await refuses(locks.acquireAll(['a', 'b\0']), 'E_INVALID_ARGUMENT')
        await client.del('lock:a')
        assert.equal(await client.exists(keys('a')), 0)
      }),
    )
  })
}
