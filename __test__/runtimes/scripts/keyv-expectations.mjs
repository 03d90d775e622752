// What the documentation of Keyv promises of every store, for the Keyv of either version: each is a function that gets a service of its own.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'

const LONG = 'x'.repeat(100_000)
/** Under which the long one is stored. */
const NAME_OF_LONG = `${LONG.slice(0, 1000)}%sha256:${createHash('sha256').update(Buffer.from(LONG, 'utf16le')).digest('hex')}`

const HOSTILE = [
  '*',
  '[a-z]?',
  'a*b',
  '\\',
  '{x}',
  'a:b',
  'a::b',
  ':',
  '::',
  '%3A',
  '\0',
  '\n',
  '__proto__',
  'ä\u{1f600}',
  '\ud800',
  '\ud801',
  '\ufffd',
  LONG,
  NAME_OF_LONG,
  'y'.repeat(100_000),
  `%sha256:${'0'.repeat(64)}`,
]

/** The expectations by name. */
export function expectations({ Keyv, CinnabarKeyvStore, isKeyv6 }) {
  // Keyv 5 can leave the namespace to the store, as Keyv 6 always does.
  const make = (service, options = {}, storeOptions = {}) =>
    new Keyv({
      store: new CinnabarKeyvStore({ service, ...storeOptions }),
      ...(isKeyv6 ? {} : { useKeyPrefix: false }),
      ...options,
    })

  async function pairsOf(keyv) {
    const pairs = []
    for await (const pair of keyv.iterator()) pairs.push(pair)
    return pairs.sort(([one], [other]) => (one < other ? -1 : 1))
  }

  return {
    async 'values come back as they were, as JSON under the namespace'({ service, client }) {
      const keyv = make(service, { namespace: 'ns' })
      const values = [
        false,
        null,
        0,
        '',
        'text',
        '"',
        ':x',
        ':base64:x',
        'ä\ud800',
        [1, { a: 2 }],
        { b: Buffer.from('b') },
        Buffer.from([0, 200]),
      ]
      for (const [at, value] of values.entries()) {
        assert.equal(await keyv.set(`k${at}`, value), true)
        assert.deepEqual(await keyv.get(`k${at}`), value)
      }
      assert.equal(await keyv.get('none'), undefined)
      assert.equal(JSON.parse(await client.get('keyv:ns::k4')).value, 'text')
      assert.equal(await client.ttl('keyv:ns::k4'), -1)
    },

    async 'a ttl in milliseconds is that of the key'({ service, client }) {
      const keyv = make(service, { namespace: 'ns' })
      await keyv.set('a', 1, 60_000)
      const ms = await client.pTTL('keyv:ns::a')
      assert.ok(ms > 55_000 && ms <= 60_000, String(ms))
      const byDefault = make(service, { namespace: 'd', ttl: 60_000 })
      await byDefault.set('a', 1)
      assert.ok((await client.pTTL('keyv:d::a')) > 55_000)
      await byDefault.setMany([{ key: 'b', value: 1 }, { key: 'c', value: 1, ttl: 5000 }]) // prettier-ignore
      assert.ok((await client.pTTL('keyv:d::b')) > 55_000)
      assert.ok((await client.pTTL('keyv:d::c')) <= 5000)
      await keyv.set('gone', 1, 20)
      while ((await keyv.get('gone')) !== undefined);
      assert.equal(await keyv.has('gone'), false)
      assert.equal(await client.exists('keyv:ns::gone'), 0)
    },

    async 'many keys are set, read, tested and deleted at once'({ service }) {
      const keyv = make(service, { namespace: 'ns' })
      assert.deepEqual(await keyv.setMany([{ key: 'a', value: 1 }, { key: 'b', value: 2 }]), [true, true]) // prettier-ignore
      assert.deepEqual(await keyv.getMany(['a', 'x', 'b']), [1, undefined, 2])
      assert.deepEqual(await keyv.get(['a', 'x', 'b']), [1, undefined, 2])
      assert.deepEqual(await keyv.hasMany(['a', 'x', 'b']), [true, false, true])
      assert.equal(await keyv.has('a'), true)
      assert.equal(await keyv.delete('a'), true)
      assert.equal(await keyv.delete('a'), false)
      await keyv.setMany([{ key: 'a', value: 1 }])
      assert.deepEqual(await keyv.deleteMany(['a', 'x', 'b']), isKeyv6 ? [true, false, true] : true)
      assert.deepEqual(await keyv.deleteMany(['a', 'x']), isKeyv6 ? [false, false] : false)
      assert.deepEqual(await keyv.getMany([]), [])
      assert.deepEqual(await keyv.setMany([]), [])
    },

    async 'namespaces share nothing, and each is cleared and listed alone'({ service, client }) {
      const names = ['a', 'a*', 'a:', ':a', 'a::b', 'a:::b', 'a%3A', '[a]', '\ud800', 'A']
      const keyvs = names.map((namespace) => make(service, { namespace }))
      for (const [at, keyv] of keyvs.entries()) {
        await keyv.set('key', at)
        await keyv.set('b::key', at)
        await keyv.set(':key', at)
      }
      for (const [at, keyv] of keyvs.entries()) {
        assert.deepEqual(await keyv.getMany(['key', 'b::key', ':key']), [at, at, at], names[at])
        assert.deepEqual(await pairsOf(keyv), [[':key', at], ['b::key', at], ['key', at]], names[at]) // prettier-ignore
      }
      await client.set('other', 'kept')
      for (const [at, keyv] of keyvs.entries()) {
        await keyv.clear()
        assert.deepEqual(await pairsOf(keyv), [])
        for (const later of keyvs.slice(at + 1)) assert.notEqual(await later.get('key'), undefined)
      }
      assert.equal(await client.get('other'), 'kept')
    },

    async 'without a namespace it is about all that is under the prefix'({ service, client }) {
      const store = new CinnabarKeyvStore({ service, prefix: 'own:' })
      const keyv = new Keyv(isKeyv6 ? { store } : { store, namespace: undefined, useKeyPrefix: false })
      keyv.namespace = undefined
      const inside = make(service, { namespace: 'ns' }, { prefix: 'own:' })
      await keyv.set('a', 1)
      await inside.set('b', 2)
      assert.equal(await client.exists('own:a'), 1)
      assert.deepEqual(await pairsOf(keyv), [['a', 1], ['ns::b', 2]]) // prettier-ignore
      await client.set('other', 'kept')
      await keyv.clear()
      assert.equal(await inside.get('b'), undefined)
      assert.equal(await client.get('other'), 'kept')
    },

    async 'any text is a key, and stands for itself'({ service }) {
      const keyv = make(service, { namespace: 'ns' })
      for (const [at, key] of HOSTILE.entries()) assert.equal(await keyv.set(key, at), true)
      for (const [at, key] of HOSTILE.entries()) assert.equal(await keyv.get(key), at, JSON.stringify(key.slice(0, 50)))
      assert.deepEqual(await keyv.getMany(HOSTILE), [...HOSTILE.keys()])
      assert.equal(await keyv.delete('*'), true)
      assert.equal(await keyv.get('a*b'), 2)
      const listed = (await pairsOf(keyv)).map(([key]) => key)
      const expected = HOSTILE.filter((key) => key !== '*' && key.length < 60 && key.isWellFormed()).sort()
      assert.deepEqual(listed, expected)
      await keyv.clear()
      for (const key of HOSTILE) assert.equal(await keyv.has(key), false)
    },

    async 'thousands of keys are listed and cleared'({ service }) {
      const keyv = make(service, { namespace: 'many' }, { scanCount: 500 })
      const other = make(service, { namespace: 'other' })
      await other.set('kept', 1)
      const entries = Array.from({ length: 3000 }, (_, n) => ({ key: `key${n}`, value: n }))
      await keyv.setMany(entries)
      const pairs = await pairsOf(keyv)
      assert.equal(pairs.length, 3000)
      assert.equal(new Set(pairs.map(([key]) => key)).size, 3000)
      for (const [key, value] of pairs) assert.equal(key, `key${value}`)
      await keyv.clear()
      assert.deepEqual(await pairsOf(keyv), [])
      assert.equal(await other.get('kept'), 1)
    },

    async 'what another program stored is a miss or an error, never a wrong value'({ service, client }) {
      const keyv = make(service, { namespace: 'ns' })
      const errors = []
      keyv.on('error', (error) => errors.push(error))
      await client.hSet('keyv:ns::hash', 'a', 'b')
      await keyv.set('good', 1)
      assert.deepEqual(await keyv.getMany(['hash', 'good']), [undefined, 1])
      assert.equal(await keyv.get('hash'), undefined)
      assert.equal(errors.length, 1)
      assert.deepEqual([errors[0].code, errors[0].command], ['E_WRONG_TYPE', 'KEYV GET'])
    },

    async 'it leaves the service connected'({ service }) {
      const keyv = make(service, { namespace: 'ns' })
      await keyv.set('a', 1)
      await keyv.disconnect()
      assert.equal(await keyv.get('a'), 1)
    },

    async 'compression and serialization of its own'({ service }) {
      if (isKeyv6) {
        const compression = {
          compress: async (text) => Buffer.from(text).reverse(),
          decompress: async (bytes) => Buffer.from(bytes).reverse().toString(),
        }
        const keyv = make(service, { namespace: 'ns', compression })
        await keyv.set('a', { b: 'ä' })
        const [raw] = await keyv.store.getMany(['a'])
        assert.ok(Buffer.isBuffer(raw))
      } else {
        const keyv = make(service, { namespace: 'ns', serialize: ({ value }) => `:${value}`, deserialize: (text) => ({ value: text.slice(1) }) }) // prettier-ignore
        await keyv.set('a', 'b')
        assert.equal(await keyv.get('a'), 'b')
        assert.equal(await keyv.store.get('a'), ':b')
      }
    },
  }
}
