import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'

import { ApiCache, withCache } from 'cinnabar'

import { rawClient, refuses, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'
import { nearAgain } from '../support/near/again.mjs'

for (const engine of engines) {
  for (const mode of ['push', 'strict']) {
    describe(`values cached near (${mode}) on ${engine.name}`, () => {
      // What another process would do: nothing of it goes through the near tier.
      const withCaches = (run, options) => async () => {
        const service = await engine.makeService()
        const other = engine.beside(service, { timeoutMs: 4321 })
        try {
          const cache = new ApiCache(service, { near: { mode, ...options } })
          await run(cache, new ApiCache(other), { service, client: await rawClient(other) })
        } finally {
          await Promise.all([service.disconnect(), other.disconnect()])
        }
      }
      const again = (cache, key) => nearAgain(cache, key)

      test(
        'cost no call, and every reader gets a copy of its own, or the same frozen object',
        withCaches(async (cache) => {
          await cache.set('a', { list: [1, { deep: true }] })
          await again(cache, 'a')
          const before = cache.stats()
          const [one, other] = [await cache.get('a'), await cache.get('a')]
          one.list.push(2)
          assert.deepEqual(other, { list: [1, { deep: true }] })
          const [frozen, same] = [await cache.get('a', { frozen: true }), await cache.get('a', { frozen: true })]
          assert.equal(frozen, same)
          assert.ok(Object.isFrozen(frozen) && Object.isFrozen(frozen.list) && Object.isFrozen(frozen.list[1]))
          assert.deepEqual(await cache.getOrSet('a', () => assert.fail('it is there')), other)
          assert.equal(await cache.getOrSet('a', () => assert.fail('it is there'), { frozen: true }), frozen)
          assert.equal((await cache.lookup('a', () => assert.fail('it is there'))).source, 'near')
          const { hits, nearHits, misses } = cache.stats()
          assert.deepEqual([hits - before.hits, nearHits - before.nearHits, misses - before.misses], [7, 7, 0])
        }),
      )

      test(
        'are found without a promise, unless a server has to confirm them',
        withCaches(async (cache) => {
          assert.equal(cache.peek('a'), undefined)
          await cache.set('a', { x: 1 })
          await cache.set('null', null)
          for (const key of ['a', 'null']) await again(cache, key)
          const isSure = mode === 'push' || engine.kind === 'memory'
          assert.deepEqual(cache.peek('a'), isSure ? { x: 1 } : undefined)
          assert.equal(cache.peek('null'), isSure ? null : undefined)
          if (isSure) assert.equal(cache.peek('a'), await cache.get('a', { frozen: true }))
        }),
      )

      const changes = {
        'is set': [(other) => other.set('a', 2), 2],
        'is set among others': [(other) => other.setMany([{ key: 'a', value: 2 }]), 2],
        'is invalidated': [(other) => other.invalidate('a'), null],
        'is invalidated by its tag': [(other) => other.invalidateByTag('t'), null],
        'is invalidated by a pattern': [(other) => other.invalidateByPattern('a*'), null],
        'is deleted by another program': [(_, client) => client.del('api:a'), null],
        'is written by another program': [(_, client) => client.set('api:a', '3', { EX: 9 }), 3],
        'is deleted with everything else': [(_, client) => client.sendCommand(['FLUSHALL']), null],
      }
      for (const [what, [change, value]] of Object.entries(changes)) {
        test(
          `are gone once one ${what}, elsewhere or here`,
          withCaches(async (cache, other, { client }) => {
            await cache.set('a', 1, { tags: ['t'] })
            await again(cache, 'a')
            await change(other, client)
            if (mode === 'strict') assert.equal(await cache.get('a'), value)
            else await until('the change is seen', async () => (await cache.get('a')) === value)
            await cache.set('a', 1, { tags: ['t'] })
            await again(cache, 'a')
            await change(cache, client)
            if (mode === 'strict' || !/program|everything/.test(what)) assert.equal(await cache.get('a'), value)
            else await until('the change is seen', async () => (await cache.get('a')) === value)
          }),
        )
      }

      test(
        'are gone when their ttl ends',
        withCaches(async (cache, _, { service }) => {
          if (engine.advance) {
            await cache.set('a', 1, { ttl: 60, staleWhileRevalidate: 60 })
            await again(cache, 'a')
            engine.advance(service, 30_000)
            assert.equal(await cache.get('a'), 1)
            engine.advance(service, 30_000)
            assert.equal(await cache.get('a'), null)
            return
          }
          await cache.set('a', 1, { ttl: 0.3, staleWhileRevalidate: 60 })
          const setAt = performance.now()
          await again(cache, 'a')
          let last
          await until('it is gone', async () => {
            const at = performance.now()
            if ((await cache.get('a')) !== 1) return true
            last = at
            return false
          })
          assert.ok(last - setAt < 301, `found ${last - setAt} ms after it was set`)
        }),
      )

      test(
        'are whole responses too',
        withCaches(async (cache, other) => {
          let made = 0
          const handler = withCache(() => Response.json({ made: ++made }), { cache, ttl: 60, tags: ['t'] })
          const ask = async () => (await handler(new Request('http://localhost/items'))).json()
          await until('it is near', async () => {
            assert.deepEqual(await ask(), { made: 1 })
            return cache.stats().nearHits > 0
          })
          await other.invalidateByTag('t')
          if (mode === 'strict') assert.deepEqual(await ask(), { made: 2 })
          else await until('the change is seen', async () => (await ask()).made === 2)
        }),
      )

      test(
        'change at once with what other caches of the process change',
        withCaches(async (cache, _, { service }) => {
          const others = [new ApiCache(service), new ApiCache(service, { near: { mode, maxStalenessMs: 333 } })]
          for (const other of [...others, ...others]) {
            await cache.set('a', 'old', { tags: ['t'] })
            await again(cache, 'a')
            await other.set('a', 'new', { tags: ['t'] })
            assert.equal(await cache.get('a'), 'new')
            await again(cache, 'a')
            await other.invalidateByTag('t')
            assert.equal(await cache.get('a'), null)
          }
        }),
      )

      test(
        'may be many, set at once',
        withCaches(async (cache) => {
          const keys = Array.from({ length: 20_000 }, (_, at) => `k${at}`)
          await cache.setMany(keys.map((key) => ({ key, value: 1 })))
          for (let round = 0; round < 3; round++) await cache.getMany(keys)
          await cache.setMany(keys.map((key) => ({ key, value: 2 })))
          assert.deepEqual(new Set(await cache.getMany(keys)), new Set([2]))
        }),
      )

      test(
        'are errors if they are no JSON, as other values are',
        withCaches(async (cache, _, { client }) => {
          await client.set('api:a', 'no JSON', { EX: 60 })
          for (let read = 0; read < 5; read++) {
            await refuses(cache.get('a'), 'E_INVALID_DATA')
            await refuses(
              cache.getOrSet('a', () => 1),
              'E_INVALID_DATA',
            )
            assert.equal(cache.peek('a'), undefined)
          }
        }),
      )

      test(
        'may be of any shape',
        withCaches(async (cache) => {
          const deep = JSON.parse('['.repeat(300) + ']'.repeat(300))
          const wide = Object.fromEntries(Array.from({ length: 1000 }, (_, at) => [`name${at}`, { at }]))
          const named = JSON.parse('{"__proto__": {"x": [1]}, "constructor": 2}')
          for (const [at, value] of [deep, wide, named, [], {}, 'text', 0, false, [[null]]].entries()) {
            await cache.set(`k${at}`, value)
            await again(cache, `k${at}`)
            assert.deepEqual(await cache.get(`k${at}`), value)
            const shared = await cache.get(`k${at}`, { frozen: true })
            assert.deepEqual(shared, value)
            assert.ok(Object.isFrozen(shared))
          }
        }),
      )

      test(
        'take no more memory than they may',
        withCaches(
          async (cache) => {
            const value = 'x'.repeat(4000)
            const keys = Array.from({ length: 64 }, (_, at) => `k${at}`)
            await cache.setMany(keys.map((key) => ({ key, value })))
            for (let round = 0; round < 3; round++) for (const key of keys) await cache.get(key)
            const before = cache.stats().nearHits
            await cache.getMany(keys)
            const near = cache.stats().nearHits - before
            assert.ok(near <= 16, `${near} values of 4 kB in 64 KiB`)
          },
          { maxBytes: 64 * 1024 },
        ),
      )

      test(
        'are not used for a call that has limits of its own',
        withCaches(async (cache) => {
          await cache.set('a', 1)
          await again(cache, 'a')
          await refuses(cache.get('a', { signal: AbortSignal.abort() }), 'E_ABORTED')
          assert.equal(await cache.get('a', { timeoutMs: 1000 }), 1)
          assert.equal(await cache.with({ timeoutMs: 1000 }).get('a'), 1)
        }),
      )

      test(
        'are not those of before once the service was disconnected',
        withCaches(async (cache, other, { service }) => {
          await cache.set('a', 1)
          await again(cache, 'a')
          await service.disconnect()
          await refuses(cache.get('b'), 'E_CLOSED')
          await other.set('a', 2)
          await service.connect()
          assert.equal(await cache.get('a'), 2)
          await again(cache, 'a')
          assert.equal(await cache.get('a'), 2, 'another value, although it may have the number of the former')
          await other.set('a', 3)
          if (mode === 'strict') assert.equal(await cache.get('a'), 3)
          else await until('the change is seen', async () => (await cache.get('a')) === 3)
        }),
      )
    })
  }
}

describe('values cached near', () => {
  test('are shared by threads', async () => {
    const [engine] = engines
    const service = await engine.makeService()
    const cache = new ApiCache(service, { near: true })
    await cache.set('a', { x: 1 })
    await nearAgain(cache, 'a')
    const source = `
      const { parentPort, workerData } = require('node:worker_threads')
      const { ApiCache, RedisService } = require('cinnabar')
      const cache = new ApiCache(new RedisService({ url: workerData }), { near: true })
      parentPort.postMessage(cache.peek('a') ?? 'not near')
      parentPort.once('message', () => {
        parentPort.postMessage(cache.peek('a') ?? 'not near')
        process.exit()
      })`
    const url = engine.urlOf(service)
    const worker = new Worker(source, { eval: true, workerData: url })
    assert.deepEqual((await once(worker, 'message'))[0], { x: 1 })
    await cache.set('a', { x: 2 })
    worker.postMessage('go on')
    assert.equal((await once(worker, 'message'))[0], 'not near')
    await service.disconnect()
  })

  test('need valid options', async () => {
    const service = await engines[0].makeService()
    const wrong = [
      [{ near: 1 }, /near must be true, false or an object/],
      [{ near: { mode: 'fast' } }, /near.mode must be 'push' or 'strict'/],
      [{ near: { maxBytes: 1000 } }, /near.maxBytes/],
      [{ near: { maxStalenessMs: 5 } }, /near.maxStalenessMs/],
      [{ near: { bytes: 5 } }, /unknown option "near.bytes"/],
    ]
    for (const [options, message] of wrong) {
      assert.throws(() => new ApiCache(service, options), { code: 'E_INVALID_ARGUMENT', message })
    }
    const cache = new ApiCache(service, { near: true })
    await refuses(cache.get('a', { frozen: 1 }), 'E_INVALID_ARGUMENT', /frozen must be true or false/)
    await refuses(cache.get(1), 'E_INVALID_ARGUMENT', /key/)
    assert.throws(() => cache.peek(1), { code: 'E_INVALID_ARGUMENT' })
    assert.throws(() => new ApiCache(service).peek(), { code: 'E_INVALID_ARGUMENT' })
    assert.throws(() => ApiCache.peek(1), { code: 'E_INVALID_ARGUMENT' })
    assert.equal(new ApiCache(service, { near: false }).peek('a'), undefined)
    await service.disconnect()
  })
})
