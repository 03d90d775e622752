// What values may be: the codecs of a cache.
import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'

import { ApiCache, withCache } from 'cinnabar'
import fc from 'fast-check'

import { deferred, rawClient, refuses, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const none = () => assert.fail('it is cached')
const VALUE = {
  date: new Date(5),
  map: new Map([['a', { b: new Set([1, 2n]) }], [{ key: 1 }, undefined]]), // prettier-ignore
  bytes: Buffer.from([0, 255, 10]),
  big: 2n ** 80n,
  pattern: /a\/b/giu,
  url: new URL('https://example.com/a?b=c'),
  numbers: [NaN, Infinity, -Infinity, -0, 0, 1.5],
  missing: undefined,
  list: [undefined, null, [], {}],
  $: 'a field of this name',
  nested: { $: { $: 'map', v: [] } },
}

for (const engine of engines) {
  const withCaches = (options, run) => async () => {
    const service = await engine.makeService()
    const elsewhere = engine.beside(service, { timeoutMs: 4001 })
    try {
      await run(new ApiCache(service, options), new ApiCache(elsewhere, options), service)
    } finally {
      await Promise.all([service, elsewhere].map((each) => each.disconnect()))
    }
  }

  describe(`the codec structured, on ${engine.name}`, () => {
    const structured = { codec: 'structured' }

    test(
      'returns what was stored, by every way',
      withCaches(structured, async (cache, other) => {
        const options = { tags: ['t'], staleWhileRevalidate: 60, staleIfError: 60 }
        await cache.set('a', VALUE, options)
        await cache.setMany([{ key: 'b', value: VALUE }, { key: 'none', value: null }]) // prettier-ignore
        assert.deepEqual(await other.get('a'), VALUE)
        assert.deepEqual(await other.getMany(['a', 'unknown', 'b', 'none']), [VALUE, null, VALUE, null])
        assert.deepEqual(await other.get('b', { timeoutMs: 5000 }), VALUE)
        assert.deepEqual(await other.with({ timeoutMs: 5000 }).getOrSet('a', none), VALUE)
        const found = new Map()
        for await (const [key, value] of other.entries()) found.set(key, value)
        assert.deepEqual(found, new Map([['a', VALUE], ['b', VALUE], ['none', null]])) // prettier-ignore
        const loads = await Promise.all([1, 2].map(() => cache.lookup('c', () => VALUE)))
        assert.deepEqual(loads, Array(2).fill({ value: VALUE, source: 'load' }))
        assert.notEqual(loads[0].value, loads[1].value, 'each caller has a copy')
        assert.deepEqual(await other.getOrSet('c', none), VALUE)
        await cache.expireByTag('t')
        const gate = deferred()
        const stale = async (key, load) => gate.resolve(await load.stale()) ?? VALUE
        assert.deepEqual(await cache.lookup('a', stale, options), { value: VALUE, source: 'stale' })
        assert.deepEqual(await gate.promise, VALUE)
        assert.equal(await cache.getOrSet('d', () => undefined), undefined)
        assert.equal(await cache.get('d'), null)
        await cache.set('invalid', new Date(NaN))
        assert.ok(Number.isNaN((await cache.get('invalid')).getTime()))
        await cache.setImageInfo('a.png', { size: 1, type: 'image/png', hash: 'h', timestamp: 5 })
        assert.equal((await cache.getImageInfo('a.png')).timestamp, 5)
        const handler = withCache(() => new Response('x'), { cache, ttl: 5 })
        for (const status of ['fwd=uri-miss', 'hit']) {
          const response = await handler(new Request('http://localhost/'))
          assert.equal(await response.text(), 'x')
          assert.match(response.headers.get('cache-status'), new RegExp(`${status}$`))
        }
      }),
    )

    test(
      'returns bytes in memory of their own',
      withCaches(structured, async (cache) => {
        await cache.setMany(['a', 'b'].map((key) => ({ key, value: new Uint8Array([1, 2]) })))
        const [a, b] = await cache.getMany(['a', 'b'])
        assert.deepEqual([a.buffer.byteLength, b.buffer.byteLength], [2, 2])
        assert.notEqual(a.buffer, b.buffer)
      }),
    )

    test(
      'finds nothing near that is not of it',
      withCaches({ ...structured, near: true }, async (cache, _, service) => {
        await new ApiCache(service).set('a', { $: 'nothing' })
        for (let read = 0; read < 5; read++) {
          await refuses(cache.get('a'), 'E_INVALID_DATA')
          assert.equal(cache.peek('a'), undefined)
        }
      }),
    )

    test(
      'returns a copy of what is near to each caller',
      withCaches({ ...structured, near: true }, async (cache) => {
        await cache.set('a', VALUE)
        await until('it is near', async () => (await cache.get('a'), cache.peek('a') !== undefined))
        const copies = [cache.peek('a'), cache.peek('a'), await cache.get('a'), await cache.getOrSet('a', none)]
        for (const copy of copies) assert.deepEqual(copy, VALUE)
        assert.equal(new Set(copies).size, 4)
        copies[0].map.clear()
        assert.deepEqual(cache.peek('a'), VALUE)
        await refuses(cache.get('a', { frozen: true }), 'E_INVALID_ARGUMENT', /codec/)
        await refuses(cache.getOrSet('a', none, { frozen: true }), 'E_INVALID_ARGUMENT', /codec/)
      }),
    )

    test(
      'shares loads of all processes',
      withCaches({ ...structured, sharedLoads: true }, async (cache, other) => {
        let loads = 0
        const gate = deferred()
        const load = () => (loads++, gate.promise)
        const both = Promise.all([cache, other].map((each) => each.getOrSet('a', load)))
        await until('one loads', () => loads > 0)
        gate.resolve(VALUE)
        assert.deepEqual(await both, [VALUE, VALUE])
        assert.equal(loads, 1)
      }),
    )

    test(
      'keeps calls in order',
      withCaches(structured, async (cache) => {
        const results = []
        for (let n = 0; n < 20; n++) results.push(cache.set('a', BigInt(n)), cache.get('a'))
        const values = (await Promise.all(results)).filter((value) => value !== undefined)
        assert.deepEqual(
          values,
          Array.from({ length: 20 }, (_, n) => BigInt(n)),
        )
      }),
    )

    test(
      'refuses what it cannot store, and says what',
      withCaches(structured, async (cache) => {
        const cycle = []
        cycle.push(cycle)
        class Point {
          x = 1
        }
        class Money extends Array {}
        const named = { constructor: { name: 'a secret' } }
        for (const [wrong, says] of [
          [cycle, /refers to itself/],
          [new Point(), /an instance of Point/],
          [Money.from([1]), /an instance of Money/],
          [Object.assign(new Map(), { extra: 1 }), /an instance of Map/],
          ['ab'.match(/a/), /an instance of Array/],
          [Object.assign(Object.create(new Point()), named), /an instance of Point/],
          [Math, /an instance of a class/],
          [10n ** 10_000n, /10000 digits/],
          [{ a: () => 1 }, /a function/],
          [Symbol('s'), /a symbol/],
          [new Error('x'), /an instance of Error/],
          [new Float64Array(1), /an instance of Float64Array/],
        ]) {
          await refuses(cache.set('a', wrong), 'E_INVALID_ARGUMENT', says)
          await refuses(
            cache.getOrSet('a', () => wrong),
            'E_INVALID_ARGUMENT',
            says,
          )
          await refuses(cache.setMany([{ key: 'a', value: wrong }]), 'E_INVALID_ARGUMENT', says)
        }
        assert.equal(await cache.get('a'), null)
      }),
    )

    test(
      'rejects with E_INVALID_DATA for what another program stored',
      withCaches(structured, async (cache, _, service) => {
        const client = await rawClient(service)
        const secret = 'ssn 123-45-6789'
        const wrong = [
          ...[['unknown', 1], ['map', 1], ['map', ['ab']], ['map', [[1]]], ['set', { length: 5 }], ['date', { a: 1 }]],
          ...[['date', [2020]], ['bigint', 'x'], ['bigint', true], ['bigint', ''], ['bigint', '9'.repeat(20_000)]],
          ...[['object', 'ab'], ['object', []], ['bytes', '!!!'], ['bytes', [1, 300]], ['bytes', { length: 300_000_000 }]],
          ...[['regexp', 'a'], ['regexp', ['(', secret]], ['url', ['https://a.b/']], ['url', secret], ['number', '5']],
          [['map'], []],
        ] // prettier-ignore
        for (const [$, v] of wrong) {
          await client.set('api:a', JSON.stringify({ $, v }))
          for (const call of [cache.get('a'), cache.getOrSet('a', none), cache.getMany(['a'])]) {
            const error = await refuses(call, 'E_INVALID_DATA')
            assert.ok(!inspect(error).includes(secret), inspect(error))
          }
        }
        await client.set('api:a', '{"__proto__":{"polluted":1},"a":{"$":"object","v":{"__proto__":2,"$":3}}}')
        const value = await cache.get('a')
        assert.equal(Object.getPrototypeOf(value), Object.prototype)
        assert.deepEqual([value.polluted, Object.keys(value.a)], [undefined, ['__proto__', '$']])
        await client.set('api:plain', '{"a":[1,"x",null]}')
        assert.deepEqual(await cache.get('plain'), { a: [1, 'x', null] })
      }),
    )
  })

  describe(`a codec of the caller's, on ${engine.name}`, () => {
    const codec = {
      encode: (value) => `<${value}>`,
      decode: (stored) => stored.slice(1, -1),
    }

    test(
      'writes and reads all values',
      withCaches({ codec }, async (cache, other, service) => {
        const client = await rawClient(service)
        await cache.set('a', 'x')
        assert.equal(await client.get('api:a'), '"<x>"')
        assert.deepEqual([await other.get('a'), await other.get('b')], ['x', null])
        assert.equal(await cache.getOrSet('b', () => 'loaded'), 'loaded')
        assert.deepEqual(await other.getMany(['a', 'b']), ['x', 'loaded'])
        await cache.set('null', null)
        assert.deepEqual([await cache.get('null'), await cache.getOrSet('null', none)], [null, null])
        const brief = new ApiCache(service, { codec, nullTtl: 5 })
        await brief.getOrSet('missing', () => null)
        assert.ok((await brief.ttl('missing')) <= 5)
        // Caches with the same codec share their loads.
        const gate = deferred()
        let loads = 0
        const both = [cache, brief].map((each) => each.getOrSet('shared', () => (loads++, gate.promise)))
        await until('one loads', () => loads > 0)
        gate.resolve('x')
        assert.deepEqual(await Promise.all(both), ['x', 'x'])
        assert.equal(loads, 1)
      }),
    )

    test(
      'may be an instance, and is called as one',
      withCaches({}, async (_, __, service) => {
        class Prefixed {
          prefix = 'p:'
          encode(value) {
            return this.prefix + value
          }
          decode(stored) {
            return stored.slice(this.prefix.length)
          }
        }
        const cache = new ApiCache(service, { codec: new Prefixed() })
        await cache.set('a', 'x')
        assert.equal(await cache.get('a'), 'x')
        assert.equal(await (await rawClient(service)).get('api:a'), '"p:x"')
      }),
    )

    test(
      'that throws rejects the call, and keeps its text',
      withCaches({}, async (_, __, service) => {
        const failing = (name) => ({ ...codec, [name]: () => { throw new TypeError(`${name} failed`) } }) // prettier-ignore
        const [encoding, decoding] = ['encode', 'decode'].map((name) => new ApiCache(service, { codec: failing(name) }))
        await refuses(encoding.set('a', 1), 'E_INVALID_ARGUMENT', /encode failed/)
        await decoding.set('a', 1)
        const error = await refuses(decoding.get('a'), 'E_INVALID_DATA')
        assert.equal(error.cause.message, 'decode failed')
        const rejecting = async () => {
          throw new Error('rejected')
        }
        const encoder = new ApiCache(service, { codec: { ...codec, encode: rejecting } })
        await refuses(encoder.set('b', 1), 'E_INVALID_ARGUMENT', /promise/)
        const awaiting = new ApiCache(service, { codec: { ...codec, decode: rejecting } })
        await refuses(awaiting.get('a'), 'E_INVALID_DATA', /promise/)
        await refuses(awaiting.getMany(['a']), 'E_INVALID_DATA', /promise/)
        for (const nothing of [undefined, () => {}, Symbol('s')]) {
          const cache = new ApiCache(service, { codec: { ...codec, encode: () => nothing } })
          await refuses(
            cache.getOrSet('b', () => 1),
            'E_INVALID_ARGUMENT',
          )
        }
      }),
    )

    test('is refused if it is none', async () => {
      const service = await engine.makeService()
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      for (const wrong of ['xml', 5, null, [], {}, { encode: 1, decode: 2 }, proxy]) {
        assert.throws(() => new ApiCache(service, { codec: wrong }), { code: 'E_INVALID_ARGUMENT' })
      }
      for (const fine of ['json', 'structured', codec, undefined]) new ApiCache(service, { codec: fine })
      await service.disconnect()
    })
  })
}

test('the codec structured returns any value', async () => {
  const service = await engines[0].makeService()
  const cache = new ApiCache(service, { codec: 'structured' })
  const value = fc.anything({
    withBigInt: true,
    // `deepEqual` takes no invalid date for equal to itself.
    withDate: false,
    withMap: true,
    withSet: true,
    withTypedArray: false,
    withNullPrototype: false,
    withSparseArray: false,
  })
  await fc.assert(
    fc.asyncProperty(value, async (given) => {
      await cache.set('any', { given })
      assert.deepEqual((await cache.get('any')).given, given)
    }),
    { numRuns: 500 },
  )
  await service.disconnect()
})
