// Values that are compressed or encrypted in the store.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, test } from 'node:test'

import { ApiCache } from 'cinnabar'

import { refuses, until } from '../helpers.mjs'
import { engines, withClient } from '../support/engines.mjs'

const LONG = { text: 'cinnabar '.repeat(1000) }
const none = () => assert.fail('it is cached')
const lengthOf = (client, name) => client.sendCommand(['STRLEN', name])
const key = (id) => ({ id, key: randomBytes(32) })

for (const engine of engines) {
  const withService = (run) => withClient(engine)((client, service) => run(service, client))

  describe(`values that are compressed, on ${engine.name}`, () => {
    test(
      'take less room, and any cache reads them',
      withService(async (service, client) => {
        const [plain, compressing] = [undefined, true].map((compress) => new ApiCache(service, { compress }))
        await plain.set('plain', LONG)
        await compressing.set('a', LONG)
        await compressing.getOrSet('b', () => LONG, { tags: ['t'] })
        await compressing.setMany([{ key: 'c', value: LONG, staleIfError: 5 }, { key: 'short', value: 1 }]) // prettier-ignore
        const whole = await lengthOf(client, 'api:plain')
        for (const name of ['a', 'b', 'c']) {
          assert.ok((await lengthOf(client, `api:${name}`)) < whole / 20, name)
          for (const cache of [plain, compressing]) assert.deepEqual(await cache.get(name), LONG)
        }
        assert.equal(await client.get('api:short'), '1')
        await compressing.invalidateByTag('t')
        assert.equal(await plain.get('b'), null)
        const always = new ApiCache(service, { compress: { minBytes: 10 } })
        await always.set('d', 'a'.repeat(100))
        assert.ok((await lengthOf(client, 'api:d')) < 50)
        // What does not become smaller is stored as it is.
        const random = randomBytes(1000).toString('hex')
        await always.set('e', random)
        assert.equal(await client.get('api:e'), JSON.stringify(random))
      }),
    )

    test(
      'that are damaged reject, whatever length they claim',
      withService(async (service, client) => {
        const cache = new ApiCache(service)
        for (const bytes of [1, 1e9, 2 ** 53]) {
          await client.set('api:a', `\x01{"zip":${bytes}}\nnonsense`)
          await refuses(cache.get('a'), 'E_INVALID_DATA', /^a compressed value is damaged$/)
        }
        await client.set('api:a', '\x01{"stale":18446744073709551615,"grace":1}\n1', { PX: 10_000 })
        assert.equal(await cache.get('a'), null)
      }),
    )
  })

  describe(`values that are encrypted, on ${engine.name}`, () => {
    test(
      'show nothing in the store, and are read with the key',
      withService(async (service, client) => {
        const ring = [key('k1')]
        const cache = new ApiCache(service, { encryption: { keys: ring }, compress: true })
        const elsewhere = engine.beside(service, { timeoutMs: 4001 })
        const other = new ApiCache(elsewhere, {
          encryption: { keys: [{ id: 'k1', key: ring[0].key.toString('base64') }] },
        })
        const options = { tags: ['t'], staleWhileRevalidate: 60 }
        await cache.set('a', { secret: 'Ada' }, options)
        await cache.set('b', LONG)
        await cache.getOrSet('c', () => ({ secret: 'Grace' }))
        for (const name of ['a', 'b', 'c'])
          assert.doesNotMatch(await client.get(`api:${name}`), /Ada|Grace|secret|cinnabar/)
        assert.deepEqual(await other.getMany(['a', 'b', 'c']), [{ secret: 'Ada' }, LONG, { secret: 'Grace' }])
        await other.expireByTag('t')
        assert.equal((await cache.lookup('a', () => ({ secret: 'Lin' }), options)).source, 'stale')
        await elsewhere.disconnect()
      }),
    )

    test(
      'are a miss if they were moved or changed, or encrypted with another key',
      withService(async (service, client) => {
        const keys = [key('k1')]
        const cache = new ApiCache(service, { encryption: { keys } })
        await cache.set('a', 'of a', { tags: ['t'] })
        const stored = await client.get('api:a')
        await client.set('api:b', stored)
        assert.equal(await cache.get('b'), null)
        assert.equal(await new ApiCache(service).get('a'), null)
        assert.equal(await new ApiCache(service, { encryption: { keys: [key('k1')] } }).get('a'), null)
        assert.equal(await cache.get('a'), 'of a')
        await client.set('api:a', stored.replace('"t"', '"u"'))
        assert.equal(await cache.get('a'), null)
        for (const damaged of [
          '\x01nonsense',
          '\x01{"sealed":trux}\nabc',
          '\x01{"sealed":true}',
          '\x01{"stale":-1}\nx',
        ]) {
          await client.set('api:a', damaged)
          assert.deepEqual(await cache.lookup('a', () => 'loaded'), { value: 'loaded', source: 'load' }, damaged)
        }
        // What is not encrypted could be anyone's.
        await client.set('api:a', '"forged"')
        assert.equal(await cache.get('a'), null)
        assert.deepEqual(await cache.lookup('a', () => 'loaded'), { value: 'loaded', source: 'load' })
        const accepting = new ApiCache(service, { encryption: { keys, acceptPlain: true } })
        await client.set('api:a', '"plain"')
        assert.equal(await accepting.get('a'), 'plain')
      }),
    )

    test(
      'are read after their key was replaced',
      withService(async (service) => {
        const [old, fresh] = [key('old'), key('new')]
        const cacheOf = (...keys) => new ApiCache(service, { encryption: { keys } })
        await cacheOf(old).set('a', 1)
        assert.equal(await cacheOf(fresh, old).get('a'), 1)
        await cacheOf(fresh, old).set('a', 2)
        assert.equal(await cacheOf(fresh).get('a'), 2)
        assert.equal(await cacheOf(old).get('a'), null)
      }),
    )

    test(
      'can be near',
      withService(async (service) => {
        const cache = new ApiCache(service, { encryption: { keys: [key('k1')] }, near: true, codec: 'structured' })
        await cache.set('a', new Map([[1, 2n]]))
        await until('it is near', async () => (await cache.get('a'), cache.peek('a') !== undefined))
        assert.deepEqual(cache.peek('a'), new Map([[1, 2n]]))
        assert.deepEqual(await cache.getOrSet('a', none), new Map([[1, 2n]]))
      }),
    )
  })

  test(
    `options that are wrong are refused, on ${engine.name}`,
    withService(async (service) => {
      const secret = 'a-secret-that-is-not-32-bytes'
      for (const options of [
        { compress: 1 },
        { compress: { minBytes: 0 } },
        { compress: { level: 9 } },
        { compress: 'zstd' },
        { encryption: {} },
        { encryption: { keys: [] } },
        { encryption: true },
        { encryption: { keys: [{ id: 'k', key: secret }] } },
        { encryption: { keys: [key('a'), key('a')] } },
        { encryption: { keys: [key('')] } },
        { encryption: { keys: [key('a')], other: 1 } },
      ]) {
        // prettier-ignore
        assert.throws(
        () => new ApiCache(service, options),
        (error) => error.code === 'E_INVALID_ARGUMENT' && !error.message.includes(secret),
        JSON.stringify(options),
      )
      }
    }),
  )
}
