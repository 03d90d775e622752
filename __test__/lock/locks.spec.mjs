import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { DistributedLock } from 'cinnabar'

import { deferred, rawClient, refuses, runJson } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

for (const engine of engines) {
  describe(`locks on ${engine.name}`, () => {
    const withLocks = (run, options) => async () => {
      const service = await engine.makeService()
      try {
        await run(new DistributedLock(service, options), await rawClient(service), service)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'one holds it, and gives it back by its token',
      withLocks(async (locks, client) => {
        const token = await locks.acquireLock('r')
        assert.equal(typeof token, 'string')
        assert.equal(await client.get('lock:r'), token)
        const ttl = await client.ttl('lock:r')
        assert.ok(ttl > 25 && ttl <= 30)
        assert.equal(await locks.acquireLock('r'), null)
        assert.equal(await locks.releaseLock('r', 'another holder'), false)
        assert.equal(await locks.acquireLock('r'), null)
        assert.equal(await locks.releaseLock('r', token), true)
        assert.equal(await locks.releaseLock('r', token), false)
        assert.equal(await client.exists('lock:r'), 0)
        const next = await locks.acquireLock('r', 5)
        assert.notEqual(next, token)
        assert.ok((await client.ttl('lock:r')) <= 5)
        assert.equal(await locks.releaseLock('r', token), false)
      }),
    )

    test(
      'of 200 who ask at once, one gets it',
      withLocks(async (locks) => {
        const tokens = await Promise.all(Array.from({ length: 200 }, () => locks.acquireLock('r')))
        assert.equal(tokens.filter((token) => token !== null).length, 1)
        const many = await Promise.all(Array.from({ length: 200 }, (_, i) => locks.acquireLock(`r${i}`)))
        assert.equal(new Set(many).size, 200)
      }),
    )

    test(
      'extend needs the token too',
      withLocks(async (locks, client) => {
        const token = await locks.acquireLock('r', 10)
        assert.equal(await locks.extendLock('r', 'another holder', 100), false)
        assert.ok((await client.ttl('lock:r')) <= 10)
        assert.equal(await locks.extendLock('r', token, 100), true)
        assert.ok((await client.ttl('lock:r')) > 95)
        assert.equal(await locks.extendLock('r', token), true)
        assert.ok((await client.ttl('lock:r')) <= 30)
        await locks.releaseLock('r', token)
        assert.equal(await locks.extendLock('r', token), false)
        assert.equal(await client.exists('lock:r'), 0)
      }),
    )

    test(
      'withLock returns the result of the operation, and releases',
      withLocks(async (locks, client) => {
        const result = await locks.withLock('r', async (token) => {
          assert.equal(await client.get('lock:r'), token)
          return { result: 42 }
        })
        assert.deepEqual(result, { result: 42 })
        assert.equal(await client.exists('lock:r'), 0)
        assert.equal(await locks.withLock('r', () => 'not async'), 'not async')
        assert.equal(await locks.withLock('r', () => {}), undefined)
        await locks.withLock('r', async () => assert.ok((await client.ttl('lock:r')) <= 5), 5)
      }),
    )

    test(
      'withLock rejects when another holder has it, without running the operation',
      withLocks(async (locks) => {
        const token = await locks.acquireLock('orders')
        let ran = false
        const error = await refuses(
          locks.withLock('orders', () => (ran = true)),
          'E_LOCK_HELD',
          /^Could not acquire lock for resource: orders$/,
        )
        assert.equal(error.retryable, true)
        assert.equal(ran, false)
        assert.equal(await locks.releaseLock('orders', token), true, 'the other one still held it')
      }),
    )

    test(
      "the operation's own error is the one the caller sees, and the lock is released",
      withLocks(async (locks, client, service) => {
        const failure = new Error('the operation failed')
        for (const operation of [
          () => Promise.reject(failure),
          () => {
            throw failure
          },
        ]) {
          await assert.rejects(locks.withLock('r', operation), (error) => error === failure)
          assert.equal(await client.exists('lock:r'), 0)
        }
        await assert.rejects(
          locks.withLock('r', async () => {
            // Even the release failing must not hide it.
            await service.disconnect()
            throw failure
          }),
          (error) => error === failure,
        )
      }),
    )

    test(
      "withLock never releases another one's lock",
      withLocks(async (locks, client) => {
        const running = locks.withLock('r', async () => {
          // As after a pause longer than the ttl: another holder has it now.
          await client.del('lock:r')
          assert.equal(await client.set('lock:r', 'another holder', { EX: 30 }), 'OK')
        })
        await refuses(running, 'E_LOCK_LOST')
        assert.equal(await client.get('lock:r'), 'another holder')
      }),
    )

    test(
      'a long resource is shortened in what is said of it',
      withLocks(async (locks) => {
        const resource = 'r'.repeat(60_000)
        await locks.withLock(resource, async (token, { signal }) => {
          const held = await refuses(
            locks.withLock(resource, () => {}),
            'E_LOCK_HELD',
          )
          assert.match(held.message, /^Could not acquire lock for resource: r{200}…$/)
          await locks.releaseLock(resource, token)
          assert.equal(signal.aborted, false)
        })
      }),
    )

    test(
      'no two operations ever overlap',
      withLocks(async (locks, client) => {
        let inside = 0
        let done = 0
        const worker = async () => {
          while (done < 100) {
            try {
              await locks.withLock('r', async () => {
                assert.equal(++inside, 1, 'two hold one lock')
                await client.ping()
                inside--
                done++
              })
            } catch (error) {
              if (error.code !== 'E_LOCK_HELD') throw error
            }
          }
        }
        await Promise.all(Array.from({ length: 10 }, worker))
        assert.ok(done >= 100)
      }),
    )

    test(
      'refuses invalid arguments',
      withLocks(async (locks, client) => {
        for (const name of ['', undefined, null, 42, {}, Symbol('r')]) {
          await refuses(locks.acquireLock(name), 'E_INVALID_ARGUMENT')
          if (name !== '') await refuses(locks.releaseLock(name, 'token'), 'E_INVALID_ARGUMENT')
          await refuses(
            locks.withLock(name, () => assert.fail('ran')),
            'E_INVALID_ARGUMENT',
          )
        }
        for (const ttl of [0, -1, NaN, Infinity, '30', null, {}]) {
          await refuses(locks.acquireLock('r', ttl), 'E_INVALID_ARGUMENT')
          await refuses(locks.extendLock('r', 'token', ttl), 'E_INVALID_ARGUMENT')
          await refuses(
            locks.withLock('r', () => assert.fail('ran'), ttl),
            'E_INVALID_ARGUMENT',
          )
        }
        for (const token of [undefined, null, 42, {}])
          await refuses(locks.releaseLock('r', token), 'E_INVALID_ARGUMENT')
        for (const operation of [undefined, null, 'text', {}]) {
          await refuses(locks.withLock('r', operation), 'E_INVALID_ARGUMENT', /operation must be a function/)
        }
        assert.equal(await client.dbSize(), 0)
      }),
    )

    test(
      'keeps to its prefix',
      withLocks(
        async (locks, client) => {
          const token = await locks.acquireLock('r')
          assert.equal(await client.get('mutex:r'), token)
        },
        { prefix: 'mutex:' },
      ),
    )
  })
}

const [memory, redis] = engines

describe('locks as time passes', () => {
  test('a lock dies by itself, and its old token is worth nothing', async () => {
    const service = await memory.makeService()
    const locks = new DistributedLock(service)
    const old = await locks.acquireLock('r', 30)
    await memory.advance(service, 29_000)
    assert.equal(await locks.acquireLock('r'), null)
    await memory.advance(service, 1_001)
    const token = await locks.acquireLock('r')
    assert.ok(token)
    assert.equal(await locks.releaseLock('r', old), false)
    assert.equal(await locks.extendLock('r', old), false)
    assert.equal(await locks.releaseLock('r', token), true)
    await service.disconnect()
  })

  test('an operation that outlives its lock is reported, and does not release the lock of the next holder', async () => {
    const service = await memory.makeService()
    const locks = new DistributedLock(service)
    const gate = deferred()
    const slow = locks.withLock('r', () => gate.promise, 30)
    while ((await (await rawClient(service)).exists('lock:r')) === 0);
    await memory.advance(service, 31_000)
    const token = await locks.acquireLock('r')
    assert.ok(token)
    gate.resolve('done')
    assert.equal((await refuses(slow, 'E_LOCK_LOST')).result, 'done')
    assert.equal(await locks.releaseLock('r', token), true)
    await service.disconnect()
  })
})

describe('locks between processes', () => {
  test('two processes never hold one lock: no increment of a plain read and write is lost', async () => {
    const service = await redis.makeService()
    const source = `
      import { redisService, DistributedLock } from 'cinnabar'
      let done = 0, overlaps = 0
      // Goes on until the two have met, however late the other one started.
      while (done < 200 || !(await redisService.exists('met'))) {
        try {
          await DistributedLock.withLock('counter', async () => {
            if ((await redisService.set('inside', process.pid, { NX: true, EX: 30 })) !== 'OK') overlaps++
            const value = Number(await redisService.get('value'))
            await redisService.set('value', value + 1)
            await redisService.del('inside')
            done++
          })
        } catch (error) {
          if (error.code !== 'E_LOCK_HELD') throw error
          await redisService.set('met', 1)
        }
      }
      console.log(JSON.stringify({ done, overlaps }))`
    const outcomes = await Promise.all([1, 2].map(() => runJson(source, { env: redis.env() })))
    assert.equal(outcomes[0].overlaps + outcomes[1].overlaps, 0)
    assert.equal(await service.get('value'), String(outcomes[0].done + outcomes[1].done))
    await service.disconnect()
  })
})
