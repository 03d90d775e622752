// The driver for unstorage, under the real library: what its documentation promises of every driver, and what its own Redis driver does.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { RedisService } from 'cinnabar'
import cinnabar, { cinnabarDriver } from 'cinnabar/unstorage'
import { createStorage, prefixStorage, restoreSnapshot, snapshot } from 'unstorage'
import memoryDriver from 'unstorage/drivers/memory'

import { rawClient, refuses, runJson } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines } from '../support/engines.mjs'

const [, redis] = engines

for (const engine of engines) {
  const withStorage = (run, options) => async () => {
    const service = await engine.makeService({ log: false })
    try {
      const driver = cinnabarDriver({ service, ...options })
      await run({ service, driver, storage: createStorage({ driver }), client: await rawClient(service) })
    } finally {
      await service.disconnect()
    }
  }

  describe(`unstorage on ${engine.name}`, () => {
    test(
      'items are set, read, listed and removed',
      withStorage(async ({ storage, client }) => {
        assert.equal(await storage.hasItem('s1:a'), false)
        assert.equal(await storage.getItem('s1:a'), null)
        assert.equal(await storage.getItemRaw('s1:a'), null)
        await storage.setItem('s1:a', 'test_data')
        await storage.setItem('s2/a', 'other_data')
        await storage.setItem('s3:a?q=1', 'with a query')
        assert.equal(await storage.hasItem('s1:a'), true)
        assert.equal(await storage.getItem('s1:a'), 'test_data')
        assert.equal(await client.get('unstorage:s2:a'), 'other_data')
        assert.equal(await client.ttl('unstorage:s2:a'), -1)
        assert.deepEqual((await storage.getKeys()).sort(), ['s1:a', 's2:a', 's3:a'])
        assert.deepEqual(await storage.getKeys('s1'), ['s1:a'])
        assert.deepEqual(await storage.getKeys('s'), [])
        await storage.removeItem('s1:a')
        assert.equal(await storage.hasItem('s1:a'), false)
        await storage.removeItem('s1:a')
      }),
    )

    test(
      'values of all kinds come back',
      withStorage(async ({ storage, client }) => {
        for (const [at, value] of [1, true, 'text', '', { json: 'ä' }, [1, null], '1e5x'].entries()) {
          await storage.setItem(`v${at}`, value)
          assert.deepEqual(await storage.getItem(`v${at}`), value)
        }
        assert.equal(await client.get('unstorage:v4'), '{"json":"ä"}')
        await storage.setItem('date', new Date(0))
        assert.equal(await storage.getItem('date'), '1970-01-01T00:00:00.000Z')
        await assert.rejects(storage.setItem('class', new (class Own {})()), /Cannot stringify value/)
        await storage.setItem('v0', undefined)
        assert.equal(await storage.hasItem('v0'), false)
      }),
    )

    test(
      'bytes come back whole, whatever holds them, and stay apart from texts',
      withStorage(async ({ storage, client }) => {
        const bytes = Uint8Array.from({ length: 256 }, (_, n) => n)
        for (const value of [
          bytes,
          Buffer.from(bytes),
          bytes.buffer,
          new Uint8Array(),
          new DataView(bytes.buffer, 3, 5),
        ]) {
          await storage.setItemRaw('raw', value)
          const expected = ArrayBuffer.isView(value)
            ? Buffer.from(value.buffer, value.byteOffset, value.byteLength)
            : Buffer.from(value)
          assert.deepEqual(await storage.getItemRaw('raw'), expected)
        }
        await storage.setItemRaw('raw', new Uint16Array([1, 300]))
        assert.deepEqual(await storage.getItemRaw('raw'), Buffer.from(new Uint16Array([1, 300]).buffer))
        for (const text of ['text', '', 'base64:YQ==', 'text:x', 'text:', '{"a":1}']) {
          await storage.setItemRaw('raw', text)
          assert.equal(await storage.getItemRaw('raw'), text)
        }
        // As unstorage writes and reads them with its own driver.
        await client.set('unstorage:old', `base64:${Buffer.from(bytes).toString('base64')}`)
        assert.deepEqual(await storage.getItemRaw('old'), Buffer.from(bytes))
        await storage.setItemRaw('new', bytes)
        const other = createStorage({
          driver: { ...memoryDriver(), getItemRaw: undefined, getItem: () => client.get('unstorage:new') },
        })
        assert.deepEqual(await other.getItemRaw('new'), Buffer.from(bytes))
        await refuses(storage.setItemRaw('raw', { a: 1 }), 'E_INVALID_ARGUMENT', /must be a string or bytes/)
      }),
    )

    test(
      'many items are set and read at once',
      withStorage(async ({ storage, client }) => {
        await storage.setItems([{ key: 'a', value: 1 }, { key: 'b', value: { c: 2 }, options: { ttl: 10 } }], { ttl: 60 }) // prettier-ignore
        assert.deepEqual(await storage.getItems(['a', 'x', { key: 'b' }]), [
          { key: 'a', value: 1 },
          { key: 'x', value: null },
          { key: 'b', value: { c: 2 } },
        ])
        assert.ok((await client.ttl('unstorage:a')) > 55)
        assert.ok((await client.ttl('unstorage:b')) <= 10)
        await client.hSet('unstorage:hash', 'a', 'b')
        assert.deepEqual(await storage.getItems(['hash', 'a']), [{ key: 'hash', value: null }, { key: 'a', value: 1 }]) // prettier-ignore
        await refuses(storage.getItem('hash'), 'E_WRONG_TYPE')
      }),
    )

    test(
      'a ttl is in seconds, and that of the driver is for items without one',
      withStorage(
        async ({ driver, storage, client }) => {
          await storage.setItem('default', 'x')
          assert.ok((await client.ttl('app:default')) > 95)
          await storage.setItem('own', 'x', { ttl: 20 })
          const left = await client.ttl('app:own')
          assert.ok(left > 15 && left <= 20, String(left))
          await storage.setItemRaw('raw', Buffer.from('x'), { ttl: 0.5 })
          assert.ok((await client.pTTL('app:raw')) <= 500)
          await storage.setItem('kept', 'x', { ttl: 0 })
          assert.equal(await client.ttl('app:kept'), -1)
          await refuses(storage.setItem('wrong', 'x', { ttl: NaN }), 'E_INVALID_ARGUMENT', /ttl must be/)
          const meta = await storage.getMeta('own')
          assert.ok(meta.ttl > 15 && meta.ttl <= 20)
          assert.deepEqual({ ...(await storage.getMeta('kept')) }, {})
          assert.equal(await driver.getMeta('none'), null)
          assert.deepEqual({ ...(await storage.getMeta('none')) }, {})
        },
        { base: 'app', ttl: 100 },
      ),
    )

    test(
      'metadata that an application sets is beside its item',
      withStorage(async ({ storage }) => {
        await storage.setItem('a', 'x', { ttl: 60 })
        await storage.setMeta('a', { mtime: new Date(0), own: 1 })
        const meta = await storage.getMeta('a')
        assert.deepEqual([meta.own, meta.mtime, meta.ttl > 55], [1, new Date(0), true])
        assert.deepEqual(await storage.getKeys(), ['a'])
        await storage.removeItem('a', { removeMeta: true })
        assert.deepEqual({ ...(await storage.getMeta('a')) }, {})
      }),
    )

    test(
      'clear and getKeys are about their base alone, with mounts and prefixes too',
      withStorage(async ({ driver, storage, client, service }) => {
        const keys = ['a:1', 'a:2', 'ab:1', 'a*:1', '[a]:1', 'b:1']
        for (const key of keys) await storage.setItem(key, key)
        await client.set('unstoragex', 'other')
        await client.set('other', 'other')
        assert.deepEqual((await storage.getKeys('a')).sort(), ['a:1', 'a:2'])
        assert.deepEqual(await storage.getKeys('a*'), ['a*:1'])
        assert.deepEqual(await storage.getKeys('[a]'), ['[a]:1'])
        // unstorage calls a driver without a base, whatever it is given.
        await driver.clear('a*:')
        await driver.clear('[a]:')
        assert.deepEqual((await storage.getKeys()).sort(), ['a:1', 'a:2', 'ab:1', 'b:1'])
        const users = prefixStorage(storage, 'a')
        assert.deepEqual((await users.getKeys()).sort(), ['1', '2'])
        await driver.clear('a:')
        assert.deepEqual((await storage.getKeys()).sort(), ['ab:1', 'b:1'])
        assert.deepEqual(await storage.getKeys('', { maxDepth: 0 }), [])

        const mounted = createStorage()
        mounted.mount('m', cinnabarDriver({ service, base: 'second' }))
        await mounted.setItem('m:x:y', 1)
        await mounted.setItem('plain', 2)
        assert.equal(await client.get('second:x:y'), '1')
        assert.deepEqual((await mounted.getKeys()).sort(), ['m:x:y', 'plain'])
        assert.deepEqual(await snapshot(mounted, 'm'), { 'x:y': 1 })
        await mounted.clear('m')
        assert.equal(await client.exists('second:x:y'), 0)
        await restoreSnapshot(mounted, { 'm:z': 3 })
        assert.equal(await client.get('second:z'), '3')
        await storage.clear()
        assert.deepEqual(await storage.getKeys(), [])
        assert.deepEqual([await client.get('unstoragex'), await client.get('other')], ['other', 'other'])
      }),
    )

    test(
      'any text is a key, and stands for itself',
      withStorage(async ({ driver }) => {
        const long = 'x'.repeat(100_000)
        const keys = [
          '*',
          '?',
          '[a-z]',
          '\\',
          '{a}',
          'a b',
          '\0',
          '\n',
          '__proto__',
          'ä',
          '\ud800',
          '\ud801',
          `b:${long}`,
          `b:${long}y`,
          `%sha256:${'0'.repeat(64)}`,
        ]
        for (const [at, key] of keys.entries()) await driver.setItem(key, String(at))
        for (const [at, key] of keys.entries())
          assert.equal(await driver.getItem(key), String(at), JSON.stringify(key.slice(0, 50)))
        await driver.removeItem('*')
        assert.equal(await driver.getItem('[a-z]'), '2')
        assert.deepEqual((await driver.getKeys('')).sort(), keys.slice(1, 10).sort())
        await driver.clear('b:')
        assert.equal(await driver.hasItem(`b:${long}`), false)
        assert.equal(await driver.getItem('\n'), '7')
      }),
    )

    test(
      'without a base it has the keys of the Redis driver without one, and never touches all keys of the database',
      withStorage(
        async ({ driver, storage, client }) => {
          await storage.setItem('a:b', 'x')
          assert.equal(await client.get('a:b'), 'x')
          await client.set('session', 'kept')
          assert.deepEqual(await storage.getKeys('a'), ['a:b'])
          await refuses(storage.getKeys(), 'E_INVALID_ARGUMENT', /all keys of the database/)
          await refuses(storage.clear(), 'E_INVALID_ARGUMENT', /all keys of the database/)
          await driver.clear('a:')
          assert.equal(await client.exists('a:b'), 0)
          assert.equal(await client.get('session'), 'kept')
        },
        { base: '' },
      ),
    )

    test(
      'thousands of keys are listed and cleared, and the service stays connected',
      withStorage(async ({ driver, storage, service, client }) => {
        await storage.setItems(Array.from({ length: 3000 }, (_, n) => ({ key: `k:${n}`, value: n })))
        await storage.setItem('kept', 1)
        assert.equal(new Set(await storage.getKeys('k')).size, 3000)
        await driver.clear('k:')
        assert.deepEqual(await storage.getKeys(), ['kept'])
        await storage.dispose()
        assert.equal(await client.ping(), 'PONG')
        assert.equal(storage.getMount('').driver.getInstance(), service)
      }),
    )

    test(
      'wrong options are refused',
      withStorage(async ({ service }) => {
        for (const options of [{ bas: 'a' }, { base: 1 }, { ttl: 0 }, { ttl: '1' }, { scanCount: 0 }])
          assert.throws(() => cinnabarDriver({ service, ...options }), { code: 'E_INVALID_ARGUMENT' })
        assert.throws(() => cinnabarDriver({ service: {} }), { code: 'E_INVALID_ARGUMENT' })
        assert.throws(() => cinnabarDriver({ service, base: 'session' }), { code: 'E_INVALID_SETTINGS' })
      }),
    )
  })
}

test('errors of unstorage are those of this package', async () => {
  const service = await redis.makeService({ log: false, timeoutMs: 300 })
  const storage = createStorage({ driver: cinnabarDriver({ service }) })
  await redis.server.stop()
  for (const [call, command] of [
    [() => storage.getItem('a'), 'UNSTORAGE GET'],
    [() => storage.getItems(['a']), 'UNSTORAGE GET'],
    [() => storage.setItem('a', 1), 'UNSTORAGE SET'],
    [() => storage.removeItem('a'), 'UNSTORAGE DELETE'],
    [() => storage.getKeys(), 'UNSTORAGE LIST'],
    [() => storage.clear(), 'UNSTORAGE CLEAR'],
  ]) {
    const error = await refuses(call())
    assert.equal(error.command, command)
  }
  await redis.server.start()
  await service.disconnect()
})

test('unstorage works in a cluster', async (t) => {
  const cluster = await startCluster()
  t.after(() => cluster.close())
  const service = new RedisService({ url: cluster.url, log: false })
  t.after(() => service.disconnect())
  const driver = cinnabarDriver({ service })
  const storage = createStorage({ driver })
  await storage.setItems(Array.from({ length: 500 }, (_, n) => ({ key: `k:${n}`, value: n })))
  const items = await storage.getItems(Array.from({ length: 500 }, (_, n) => `k:${n}`))
  assert.ok(items.every(({ value }, n) => value === n))
  assert.equal((await storage.getKeys('k')).length, 500)
  await storage.setItem('other', 1)
  assert.deepEqual(await driver.getMeta('other'), {})
  await driver.clear('k:')
  assert.deepEqual(await storage.getKeys(), ['other'])
  await storage.clear()
  assert.deepEqual(await storage.getKeys(), [])
})

test('is a default export for configurations, and without a service on the default one', async () => {
  assert.equal(cinnabar, cinnabarDriver)
  const result = await runJson(
    `import driver from 'cinnabar/unstorage'
    import { createStorage } from 'unstorage'
    const storage = createStorage({ driver: driver({ base: 'app' }) })
    await storage.setItem('a', { b: 1 }, { ttl: 60 })
    console.log(JSON.stringify(await storage.getItem('a')))`,
    { env: { REDIS_URL: 'memory:' } },
  )
  assert.deepEqual(result, { b: 1 })
})
