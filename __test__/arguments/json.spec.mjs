// Values that JSON would lose: refused by everything that keeps or sends values, with the place in the value, before anything is sent.
import assert from 'node:assert/strict'
import { parse } from 'node:querystring'
import { describe, test } from 'node:test'
import { runInNewContext } from 'node:vm'

import { CinnabarError } from 'cinnabar'

import { assertTyped, refuses } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

class Private {
  #secret = 1
  get secret() {
    return this.#secret
  }
}
class Methods {
  can = () => true
}

const LOST = {
  'a Map': () => new Map([['a', 1]]),
  'a Set': () => new Set([1]),
  'a WeakMap': () => new WeakMap(),
  'a WeakSet': () => new WeakSet(),
  'a WeakRef': () => new WeakRef({}),
  'a RegExp': () => /x/,
  'a Promise': () => Promise.resolve(1),
  'an Error': () => Object.assign(new Error('e'), { code: 'E' }),
  'a DOMException': () => new DOMException('e'),
  'a generator': () => (function* () {})(),
  'an iterator': () => new Map().values(),
  'a Buffer': () => Buffer.from('a'),
  bytes: () => new Uint8Array(1),
  'an ArrayBuffer': () => new ArrayBuffer(1),
  'a SharedArrayBuffer': () => new SharedArrayBuffer(1),
  'a DataView': () => new DataView(new ArrayBuffer(1)),
  'URL parameters': () => new URLSearchParams('a=1'),
  'marked URL parameters': () => Object.assign(new URLSearchParams('a=1'), { mark: 1 }),
  Headers: () => new Headers({ a: '1' }),
  'a Request': () => new Request('http://localhost/'),
  'a Response': () => Object.assign(new Response('text'), { mark: 1 }),
  'form data': () => new FormData(),
  'a Blob': () => new Blob(['text']),
  'a File': () => new File(['text'], 'name'),
  'a stream': () => new ReadableStream(),
  'an AbortSignal': () => new AbortController().signal,
  'private fields': () => new Private(),
  'nothing but methods': () => new Methods(),
  'inherited fields': () => Object.create({ a: 1 }),
  'a Map of another realm': () => runInNewContext('new Map([[1, 2]])'),
  'a proxy of a Map': () => new Proxy(new Map(), {}),
  'a BigInt': () => 1n,
  'a boxed BigInt': () => Object(1n),
  'a boxed symbol': () => Object(Symbol('s')),
  'a toJSON that returns a Map': () => ({ toJSON: () => new Map() }),
  'a toJSON that returns a BigInt': () => ({ toJSON: () => 1n }),
  'a toJSON that returns nothing': () => ({ toJSON() {} }),
  'a toJSON that returns a function': () => ({ toJSON: () => () => 1 }),
  'a toJSON that returns private fields': () => ({ toJSON: () => ({ deep: [new Private()] }) }),
  'a function with a toJSON that returns a Map': () => Object.assign(() => 1, { toJSON: () => new Map() }),
  'a getter that returns another value each time': () => {
    let reads = 0
    return {
      at: new Date(0),
      get odd() {
        return reads++ === 0 ? 1 : new Map()
      },
      get even() {
        return reads++ === 0 ? new Map() : new Set()
      },
    }
  },
}

// What an object's own code throws.
const THROWING = {
  'a getter': () => ({
    get bad() {
      throw new Error('mine')
    },
  }),
  'a getter that throws nothing': () => ({
    get bad() {
      throw undefined
    },
  }),
  'a getter that throws what cannot be read': () => ({
    get bad() {
      throw new Proxy({}, { get: () => assert.fail('mine') })
    },
  }),
  'a toJSON': () => ({
    toJSON() {
      throw new Error('mine')
    },
  }),
  'a proxy': () => new Proxy({}, { ownKeys: () => assert.fail('mine'), getPrototypeOf: () => assert.fail('mine') }),
  'a revoked proxy': () => {
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    return proxy
  },
  'a circle': () => {
    const circle = {}
    circle.circle = [circle]
    return circle
  },
}

/** Everything that keeps or sends a value: from a place of its own within an object, or as a whole. */
const PLACES = {
  'cache.set': (s, value) => s.cache.set('k', value),
  'cache.setMany': (s, value) =>
    s.cache.setMany([
      { key: 'k', value: 1 },
      { key: 'l', value },
    ]),
  'cache.getOrSet': (s, value) => s.cache.getOrSet('k', () => value),
  setImageInfo: (s, value) => s.cache.setImageInfo('k.png', { size: 1, type: 't', hash: 'h', value }),
  createSession: (s, value) => s.sessions.createSession('u', { value }, { id: 'k' }),
  storeSession: (s, value) => s.sessions.storeSession('k', { value }),
  updateSession: (s, value) => s.sessions.updateSession('kept', { value }),
  validateSession: (s, value) => s.sessions.validateSession('token', { load: () => ({ id: 'u', value }) }),
  storeMessage: (s, value) => s.rooms.storeMessage('r', { value }),
  send: (s, value) => s.rooms.send('r', { value }),
  addUserToRoom: (s, value) => s.rooms.addUserToRoom('r', 'u', { value }),
  join: (s, value) => s.rooms.join('r', 'u', { value }),
  'queue.add': (s, value) => s.queue('q').add('job', value),
  'queue.addMany': (s, value) => s.queue('q').addMany([{ name: 'job' }, { name: 'job', data: value }]),
  'queue.repeat': (s, value) => s.queue('q').repeat('r', { everyMs: 1000 }, 'job', value),
}

// These take any value, and keep bytes as they are.
const MESSAGES = { publish: (s, value) => s.publish('channel', { value }) }

for (const engine of engines) {
  describe(`what JSON would lose on ${engine.name}`, () => {
    test('is refused wherever it is given, and nothing is stored', async () => {
      const service = await engine.makeService()
      await service.sessions.storeSession('kept', { a: 1 })
      const keys = () => service.getClient().dbSize()
      for (const [place, give] of Object.entries({ ...PLACES, ...MESSAGES })) {
        for (const [name, make] of Object.entries(LOST)) {
          const before = await keys()
          const error = await refuses(give(service, { at: [0, { it: make() }] }), 'E_INVALID_ARGUMENT', /JSON/)
          assert.match(error.message, /at\[1\]\.it/, `${name} in ${place}: ${error.message}`)
          // A loader runs first, so its lease may be there.
          if (!/getOrSet|validateSession/.test(place)) assert.equal(await keys(), before, `${name} in ${place}`)
        }
      }
      for (const make of Object.values(LOST)) {
        await refuses(service.cache.set('k', make()), 'E_INVALID_ARGUMENT', /JSON/)
        await refuses(service.sessions.createSession('u', make()), 'E_INVALID_ARGUMENT', /JSON/)
      }
      assert.deepEqual(await service.sessions.getSession('kept'), { a: 1 })
      assert.deepEqual(await service.cache.getMany(['k', 'l']), [null, null])
      assert.equal((await service.queue('q').counts()).ready, 0)
      await service.disconnect()
    })

    test('is reported by its path, without names that are data', async () => {
      const service = await engine.makeService()
      for (const [value, place] of [
        [{ users: { 'ada@example.com': { seen: new Map() } } }, 'users[…].seen'],
        [{ 'a\nforged line': [new Map()] }, '[…][0]'],
        [{ ['x'.repeat(41)]: new Map() }, '[…]'],
        [{ $_9: { '': new Map() } }, '$_9[…]'],
      ]) {
        const { message } = await refuses(service.cache.set('k', value), 'E_INVALID_ARGUMENT')
        assert.ok(message.includes(`(at ${place})`), message)
      }
      await service.disconnect()
    })

    test('is refused as the result or the progress of a job', async () => {
      const service = await engine.makeService()
      const queue = service.queue('results', { defaults: { attempts: 1 } })
      const names = Object.keys(LOST)
      const worker = queue.process(({ data }, { progress }) => {
        const value = { at: [LOST[data]()] }
        assert.throws(() => progress(value), { code: 'E_INVALID_ARGUMENT', message: /JSON form \(at at\[0\]/ })
        return value
      })
      const jobs = await queue.addMany(names.map((data) => ({ name: 'job', data })))
      const ends = await Promise.allSettled(jobs.map((job) => job.finished({ timeoutMs: 10_000 })))
      assert.equal(ends.length, names.length)
      for (const [at, { status, reason }] of ends.entries()) {
        assert.equal(status, 'rejected', names[at])
        assertTyped(reason, 'E_JOB_FAILED', /cannot be written as JSON: .* \(at at\[0\]/)
      }
      await worker.close()
      await service.disconnect()
    })

    test('is a typed error also where reading the value throws', async () => {
      const service = await engine.makeService()
      for (const [place, give] of Object.entries({ ...PLACES, ...MESSAGES })) {
        for (const [name, make] of Object.entries(THROWING)) {
          const error = await refuses(give(service, { it: make() }), 'E_INVALID_ARGUMENT')
          assert.match(error.message, /JSON/, `${name} in ${place}`)
        }
      }
      assert.equal(await service.cache.get('k'), null)
      await service.disconnect()
    })

    test('are not values that JSON shows', async () => {
      const service = await engine.makeService()
      class Point {
        x = 1
        #y = 2
        get y() {
          return this.#y
        }
      }
      class Unset {
        x = undefined
      }
      const { cache } = service
      for (const [value, kept] of [
        [new Point(), { x: 1 }],
        [new Unset(), {}],
        [new Date(0), '1970-01-01T00:00:00.000Z'],
        [new URL('http://localhost/'), 'http://localhost/'],
        [Object.create(null), {}],
        [Object.create({}), {}],
        [parse(''), {}],
        [parse('a=1'), { a: '1' }],
        [runInNewContext('({})'), {}],
        [runInNewContext('({ a: [1, { f() {} }] })'), { a: [1, {}] }],
        [{ toJSON: () => null }, null],
        [
          { a: undefined, f() {}, n: NaN, l: [undefined] },
          { n: null, l: [null] },
        ],
        [new String('text'), 'text'],
        [JSON.parse(JSON.stringify(Buffer.from('a'))), { type: 'Buffer', data: [97] }],
      ]) {
        await cache.set('k', [value, { value, at: new Date(0) }])
        const wanted = [kept, { value: kept, at: '1970-01-01T00:00:00.000Z' }]
        assert.deepEqual(await cache.get('k'), wanted)
      }
      await service.disconnect()
    })

    test('is refused of a loaded user that is no user', async () => {
      const service = await engine.makeService()
      const validate = (user) =>
        service.sessions.validateSession('token', { load: () => user, userId: () => 'u', ttl: 60 })
      for (const user of [() => 1, Symbol('s'), { toJSON: () => null }]) {
        await assert.rejects(validate(user), (error) => error instanceof CinnabarError && /JSON/.test(error.message))
      }
      assert.equal(await validate(undefined), null)
      assert.deepEqual(await validate({ a: 1 }), { a: 1 })
      await service.disconnect()
    })
  })
}
