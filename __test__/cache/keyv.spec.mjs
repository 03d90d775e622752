// The storage adapter for Keyv, under the real Keyv 5 and cache-manager. Keyv 6 needs a newer Node.js: __test__/runtimes/keyv.spec.mjs.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { createCache } from 'cache-manager'
import { RedisService } from 'cinnabar'
import { CinnabarKeyvStore } from 'cinnabar/keyv'
import Keyv from 'keyv'

import { rawClient, refuses, runJson, until } from '../helpers.mjs'
import { expectations } from '../runtimes/scripts/keyv-expectations.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines } from '../support/engines.mjs'

const [, redis] = engines
const all = expectations({ Keyv, CinnabarKeyvStore, isKeyv6: false })

for (const engine of engines) {
  describe(`Keyv 5 on ${engine.name}`, () => {
    const withService = (run) => async () => {
      const service = await engine.makeService({ log: false })
      try {
        await run({ service, client: await rawClient(service) })
      } finally {
        await service.disconnect()
      }
    }

    for (const [name, run] of Object.entries(all)) test(name, withService(run))

    test(
      'with its own prefixes, as Keyv 5 has them by default',
      withService(async ({ service, client }) => {
        const keyv = new Keyv({ store: new CinnabarKeyvStore({ service }) })
        const users = new Keyv({ store: new CinnabarKeyvStore({ service }), namespace: 'users' })
        await keyv.set('a', 1)
        await users.set('a', 2)
        assert.equal(await client.exists('keyv:keyv::keyv:a'), 1)
        const pairs = []
        for await (const pair of users.iterator()) pairs.push(pair)
        assert.deepEqual(pairs, [['a', 2]])
        await users.clear()
        assert.deepEqual([await keyv.get('a'), await users.get('a')], [1, undefined])
      }),
    )

    test(
      'has the keys of @keyv/redis with an empty prefix, and then never touches all keys of the database',
      withService(async ({ service, client }) => {
        const store = new CinnabarKeyvStore({ service, prefix: '' })
        const keyv = new Keyv({ store, namespace: 'ns', useKeyPrefix: false })
        await client.set('ns::old', '{"value":"of @keyv/redis"}')
        assert.equal(await keyv.get('old'), 'of @keyv/redis')
        await client.set('session', 'kept')
        await keyv.clear()
        assert.equal(await client.get('session'), 'kept')
        store.namespace = undefined
        await refuses(store.clear(), 'E_INVALID_ARGUMENT', /all keys of the database/)
        await refuses(store.iterator().next(), 'E_INVALID_ARGUMENT', /all keys of the database/)
        assert.equal(await client.get('session'), 'kept')
      }),
    )

    test(
      'cache-manager works with it: wrap, ttl, refresh, many and clear',
      withService(async ({ service, client }) => {
        const store = new CinnabarKeyvStore({ service })
        const cache = createCache({ stores: [new Keyv({ store, namespace: 'cm', useKeyPrefix: false })], ttl: 60_000 })
        let calls = 0
        const load = async () => ({ n: ++calls })
        const wrapped = await Promise.all(Array.from({ length: 10 }, () => cache.wrap('a', load)))
        assert.deepEqual(wrapped, Array(10).fill({ n: 1 }))
        assert.deepEqual(await cache.wrap('a', load), { n: 1 })
        assert.ok((await client.pTTL('keyv:cm::a')) > 55_000)
        const expires = await cache.ttl('a')
        assert.ok(expires > Date.now() + 55_000 && expires <= Date.now() + 60_000)
        await cache.mset([{ key: 'b', value: 2 }, { key: 'c', value: 3, ttl: 5000 }]) // prettier-ignore
        assert.deepEqual(await cache.mget(['b', 'x', 'c']), [2, undefined, 3])
        assert.ok((await client.pTTL('keyv:cm::c')) <= 5000)
        await cache.mdel(['b', 'c'])
        assert.deepEqual(await cache.mget(['b', 'c']), [undefined, undefined])
        await cache.wrap('r', load, 2000, 60_000)
        await cache.wrap('r', load, 2000, 60_000)
        await until('it is refreshed', async () => (await cache.get('r')).n === 3)
        await cache.clear()
        assert.equal(await cache.get('a'), undefined)
        await cache.disconnect()
        assert.equal(await client.ping(), 'PONG')
      }),
    )

    test(
      'refuses what it cannot store, and wrong options',
      withService(async ({ service }) => {
        const store = new CinnabarKeyvStore({ service })
        await refuses(store.set('a', { value: 1 }), 'E_INVALID_ARGUMENT', /leave the serialization of Keyv on/)
        await refuses(store.set('a', 'b', '1'), 'E_INVALID_ARGUMENT', /ttl must be a number/)
        await refuses(store.get(1), 'E_INVALID_ARGUMENT', /key must be a string/)
        for (const value of [
          Buffer.from([0, 200]),
          new Uint16Array([1, 300]),
          new Uint8Array([1, 2]).buffer,
          ':base64:YQ==',
          ':',
          '',
        ]) {
          await store.set('raw', value)
          const expected =
            typeof value === 'string' ? value : Buffer.from(value.buffer ?? value, value.byteOffset, value.byteLength)
          assert.deepEqual(await store.get('raw'), expected)
        }
        assert.equal(await store.set('raw', 'a', -1), true)
        assert.equal(await store.get('raw'), undefined)
        assert.equal(await store.set('raw', 'a', Infinity), true)
        for (const options of [{ prefx: 'a' }, { prefix: 1 }, { namespace: 1 }, { scanCount: 0 }])
          assert.throws(() => new CinnabarKeyvStore({ service, ...options }), { code: 'E_INVALID_ARGUMENT' })
        assert.throws(() => new CinnabarKeyvStore({ service: {} }), { code: 'E_INVALID_ARGUMENT' })
        assert.throws(() => new CinnabarKeyvStore({ service, prefix: 'session:' }), { code: 'E_INVALID_SETTINGS' })
      }),
    )

    test(
      'many Keyv listen to one store without a warning',
      withService(async ({ service }) => {
        const warnings = []
        const warn = (warning) => warnings.push(warning)
        process.on('warning', warn)
        const store = new CinnabarKeyvStore({ service })
        for (let n = 0; n < 50; n++) new Keyv({ store })
        await new Promise(setImmediate)
        process.removeListener('warning', warn)
        assert.deepEqual(warnings, [])
      }),
    )
  })
}

test('errors reach those who listen to a Keyv, each once, and never fail its calls unless it says so', async () => {
  const service = await redis.makeService({ log: false, timeoutMs: 300 })
  const keyv = new Keyv({ store: new CinnabarKeyvStore({ service }), useKeyPrefix: false })
  const errors = []
  keyv.on('error', (error) => errors.push(error))
  await redis.server.stop()
  for (const [call, result, command] of [
    [() => keyv.get('a'), undefined, 'KEYV GET'],
    [() => keyv.set('a', 1), false, 'KEYV SET'],
    [() => keyv.setMany([{ key: 'a', value: 1 }]), [false], 'KEYV SET'],
    [() => keyv.delete('a'), false, 'KEYV DELETE'],
    [() => keyv.deleteMany(['a']), false, 'KEYV DELETE'],
    [() => keyv.clear(), undefined, 'KEYV CLEAR'],
  ]) {
    errors.length = 0
    assert.deepEqual(await call(), result)
    assert.deepEqual(errors.map((error) => error.command), [command]) // prettier-ignore
    assert.ok(errors[0].code.startsWith('E_'), errors[0].code)
  }
  const throwing = new Keyv({ store: new CinnabarKeyvStore({ service }), throwOnErrors: true })
  await refuses(throwing.get('a'))
  // Without a listener, an error of a store is no uncaught one.
  await refuses(new CinnabarKeyvStore({ service }).get('a'))
  await redis.server.start()
  await service.disconnect()
})

test('Keyv works in a cluster', async (t) => {
  const cluster = await startCluster()
  t.after(() => cluster.close())
  const service = new RedisService({ url: cluster.url, log: false })
  t.after(() => service.disconnect())
  const client = await rawClient(service)
  for (const name of [
    'many keys are set, read, tested and deleted at once',
    'namespaces share nothing, and each is cleared and listed alone',
    'without a namespace it is about all that is under the prefix',
    'thousands of keys are listed and cleared',
  ])
    await all[name]({ service, client })
})

test('without a service it is on the default one, in a program that imports nothing else', async () => {
  const result = await runJson(
    `import { CinnabarKeyvStore } from 'cinnabar/keyv'
    import Keyv from 'keyv'
    const keyv = new Keyv({ store: new CinnabarKeyvStore() })
    await keyv.set('a', 'b', 60_000)
    console.log(JSON.stringify(await keyv.get('a')))`,
    { env: { REDIS_URL: 'memory:' } },
  )
  assert.equal(result, 'b')
})
