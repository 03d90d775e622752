import assert from 'node:assert/strict'
import { createHash, randomUUID } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'

import { ApiCache, RedisService } from 'cinnabar'

import { deferred, refuses, runModule, until } from '../helpers.mjs'
import { engines, withCacheOn } from '../support/engines.mjs'

const [, redis] = engines
const never = () => new Promise(() => {})
/** Two services on one store. Their settings differ, so that they share nothing in this process. */
const twoServices = async ({ kind, makeService, server }) => {
  const url = kind === 'memory' ? `memory:${randomUUID()}` : server.url
  return [await makeService({ url }), new RedisService({ url, timeoutMs: 4321 })]
}
const later = (value) => new Promise((resolve) => setImmediate(resolve, value))

for (const engine of engines) {
  const withCache = withCacheOn(engine)

  describe(`loads that ask for what is being loaded, on ${engine.name}`, () => {
    test(
      'a load that asks for its own key, however indirectly, settles',
      withCache(async (cache) => {
        const defaults = () => cache.getOrSet('config', async () => ({ b: 2 }))
        const config = () =>
          cache.getOrSet('config', async () => {
            await later()
            return { ...(await defaults()), a: 1 }
          })
        assert.deepEqual(await Promise.all([config(), config()]), Array(2).fill({ a: 1, b: 2 }))
        assert.deepEqual(await cache.get('config'), { a: 1, b: 2 })
      }),
    )

    test(
      'two loads that need each other settle, whichever begins first',
      withCache(async (cache) => {
        const [began, gate] = [[deferred(), deferred()], deferred()]
        const ask = (own, other, at) =>
          cache.getOrSet(own, async () => {
            began[at].resolve()
            await gate.promise
            return `${own} with ${await cache.getOrSet(other, () => `${other} alone`)}`
          })
        const both = [ask('a', 'b', 0), ask('b', 'a', 1)]
        await Promise.all(began.map(({ promise }) => promise))
        gate.resolve()
        const [a, b] = await Promise.all(both)
        // Which of the two loads the other once more by itself is a matter of time.
        const possible = [
          ['a with b alone', 'b with a with b alone'],
          ['a with b with a alone', 'b with a alone'],
        ]
        assert.ok(
          possible.some(([one, other]) => one === a && other === b),
          `${a} | ${b}`,
        )
      }),
    )

    test(
      'one that would never end is refused',
      withCache(async (cache) => {
        let loads = 0
        const ask = () => cache.getOrSet('k', () => (loads++, ask()))
        await refuses(ask(), 'E_INVALID_ARGUMENT', /recurse forever/)
        assert.equal(loads, 2)
        assert.equal(await cache.getOrSet('k', () => 1), 1)
      }),
    )

    test(
      'what a load leaves running may ask for its key later',
      withCache(async (cache) => {
        const gate = deferred()
        let behind
        await cache.getOrSet('k', () => {
          behind = gate.promise.then(() => cache.getOrSet('k', () => assert.fail('it is there')))
          return 1
        })
        gate.resolve()
        assert.equal(await behind, 1)
      }),
    )
  })

  describe(`loads that take their time, on ${engine.name}`, () => {
    test(
      'no caller waits longer than its own timeout, and the load goes on',
      withCache(async (cache) => {
        const [began, gate] = [deferred(), deferred()]
        const own = cache.with({ timeoutMs: 100 }).getOrSet('k', () => (began.resolve(), gate.promise))
        await began.promise
        const other = cache.with({ timeoutMs: 50 }).getOrSet('k', () => assert.fail('two loads'))
        const patient = cache.getOrSet('k', () => assert.fail('two loads'))
        await Promise.all([refuses(own, 'E_TIMEOUT', /load/), refuses(other, 'E_TIMEOUT', /load/)])
        gate.resolve('loaded')
        assert.equal(await patient, 'loaded')
        await until('it is kept', async () => (await cache.get('k')) === 'loaded')
      }),
    )

    test(
      'a load that never settles gives its caller up, and its key free',
      withCache(
        async (cache) => {
          const hangs = refuses(cache.getOrSet('k', never), 'E_TIMEOUT')
          const shares = Array.from({ length: 10 }, (_, at) => cache.getOrSet('k', at ? () => assert.fail() : never))
          await Promise.all([hangs, ...shares.map((share) => refuses(share, 'E_TIMEOUT'))])
          assert.equal(await cache.getOrSet('k', () => 'again'), 'again')
        },
        { loadTimeoutMs: 200 },
      ),
    )

    test(
      'callers that share an overdue load start one load of their own, and take what comes first',
      withCache(
        async (cache) => {
          const [began, gate] = [deferred(), deferred()]
          const first = refuses(
            cache.getOrSet('k', () => (began.resolve(), gate.promise)),
            'E_TIMEOUT',
          )
          await began.promise
          let loads = 0
          const load = async () => (loads++, 'second')
          const shares = Array.from({ length: 10 }, () => cache.getOrSet('k', load))
          assert.deepEqual(new Set(await Promise.all(shares)), new Set(['second']))
          assert.equal(loads, 1)
          await first
          gate.resolve('first')
        },
        { loadTimeoutMs: 200 },
      ),
    )

    test(
      'a load that is overdue never replaces what a later one stored',
      withCache(
        async (cache) => {
          const [began, gate] = [deferred(), deferred()]
          const first = cache.getOrSet('k', () => (began.resolve(), gate.promise))
          await began.promise
          await refuses(first, 'E_TIMEOUT')
          assert.equal(await cache.getOrSet('k', () => 'new'), 'new')
          gate.resolve('old')
          await gate.promise
          // Its fill is sent before this read.
          await later()
          assert.equal(await cache.get('k'), 'new')
        },
        { loadTimeoutMs: 100 },
      ),
    )

    test('of the loads of two services, the one that began later stays, whichever ends first', async () => {
      const [one, another] = await twoServices(engine)
      for (const [at, order] of [
        ['old', 'new'],
        ['new', 'old'],
      ].entries()) {
        const key = `k${at}`
        const load = async (cache, value) => {
          const [began, gate] = [deferred(), deferred()]
          const loading = cache.getOrSet(key, () => (began.resolve(), gate.promise))
          await began.promise
          const end = async () => (gate.resolve(value), assert.equal(await loading, value))
          return { value, end }
        }
        const loads = [await load(one.cache, 'old'), await load(another.cache, 'new')]
        for (const value of order) await loads.find((load) => load.value === value).end()
        assert.equal(await one.cache.get(key), 'new', order.join(', '))
      }
      await Promise.all([one.disconnect(), another.disconnect()])
    })

    test('a user whose load is overdue never replaces one that was loaded later', async () => {
      const [one, another] = await twoServices(engine)
      const [began, gate] = [deferred(), deferred()]
      const old = one.sessions.validateSession('t', { load: () => (began.resolve(), gate.promise) })
      await began.promise
      const { sessions } = another
      assert.deepEqual(await sessions.validateSession('t', { load: () => ({ id: 'new' }) }), { id: 'new' })
      gate.resolve({ id: 'old' })
      assert.deepEqual(await old, { id: 'old' })
      assert.deepEqual(await sessions.validateSession('t', { load: () => assert.fail('it was kept') }), { id: 'new' })
      await Promise.all([one.disconnect(), another.disconnect()])
    })

    test(
      'a user is kept as everybody who shares the load asks, and each gets a copy',
      withCache(async (_, service) => {
        const { sessions } = service
        const key = `session:${createHash('sha256').update('t').digest('hex')}`
        const loaded = { id: 'i', other: 'o' }
        const callers = [
          { ttl: 100 },
          { ttl: 5, userId: (user) => user.other },
          { ttl: 50, userId: (user) => user.id },
          { userId: (user) => user.missing },
        ]
        for (const id of ['i', 'o', 'unknown']) {
          const [began, gate] = [deferred(), deferred()]
          const load = (at) => (at ? () => assert.fail('two loads') : () => (began.resolve(), gate.promise))
          const calls = []
          for (const [at, options] of callers.entries()) {
            calls.push(sessions.validateSession('t', { load: load(at), ...options }))
            if (at === 0) await began.promise
          }
          const refused = refuses(calls.pop(), 'E_INVALID_ARGUMENT', /userId/)
          // Behind what they ask the store for.
          await Promise.all(calls.map(() => service.get('nothing')))
          gate.resolve(loaded)
          const users = await Promise.all(calls)
          await refused
          assert.deepEqual(users, Array(3).fill(loaded))
          assert.equal(new Set([...users, loaded]).size, 4)
          const left = await service.getClient().pTTL(key)
          assert.ok(left > 0 && left <= 5000, `${left} ms`)
          assert.equal(await sessions.invalidateUser(id), id === 'unknown' ? 0 : 1)
          const again = await sessions.validateSession('t', { load: () => ({ id: 'again' }) })
          assert.equal(again.id, id === 'unknown' ? 'i' : 'again')
          await sessions.invalidateToken('t')
        }
      }),
    )

    test(
      'a load has the tags that it was called with, whatever becomes of the array',
      withCache(async (cache) => {
        for (const change of [
          (tags) => (tags.length = 0),
          (tags) => tags.splice(0, 1, 'other'),
          (tags) => tags.push(1),
        ]) {
          const [began, gate, tags] = [deferred(), deferred(), ['t']]
          const loading = cache.getOrSet('k', () => (began.resolve(), gate.promise), { tags })
          change(tags)
          await began.promise
          gate.resolve('loaded')
          assert.equal(await loading, 'loaded')
          assert.equal(await cache.get('k'), 'loaded')
          await cache.invalidateByTag('t')
          assert.equal(await cache.get('k'), null)
        }
      }),
    )

    test(
      'callers with more tags than one value can have load one by one, and the last value is kept',
      withCache(async (cache) => {
        const tagsOf = (name, count = 100) => Array.from({ length: count }, (_, at) => `${name} ${at}`)
        // In one tick, and one after the other while the first one loads.
        for (const wait of [false, true]) {
          const loads = []
          const gate = deferred()
          const call = async (name) => {
            const began = deferred()
            const load = () => (began.resolve(), loads.push(name), gate.promise.then(() => name))
            const result = cache.getOrSet('k', load, { tags: tagsOf(name) })
            if (wait) await began.promise
            return { result }
          }
          const calls = [await call('a'), await call('b'), await call('c')]
          await until('all of them load', () => loads.length === 3)
          gate.resolve()
          assert.deepEqual(await Promise.all(calls.map(({ result }) => result)), ['a', 'b', 'c'])
          assert.equal(cache.stats().errors, 0)
          const kept = await cache.get('k')
          assert.equal(kept, loads.at(-1))
          await cache.invalidateByTag(`${kept} 99`)
          assert.equal(await cache.get('k'), null)
        }
        // What fits together is loaded once, and has the tags of all.
        const all = [tagsOf('a', 64), tagsOf('b', 64), tagsOf('a', 1)]
        let loads = 0
        await Promise.all(all.map((tags) => cache.getOrSet('k', async () => ++loads, { tags })))
        assert.deepEqual([loads, await cache.get('k')], [1, 1])
        await refuses(
          cache.getOrSet('k2', () => assert.fail('it was loaded'), { tags: tagsOf('d', 129) }),
          'E_INVALID_ARGUMENT',
        )
      }),
    )

    test(
      'a load of a key within its own load takes no longer than another',
      withCache(
        async (cache) => {
          let inner
          const outer = cache.getOrSet('k', () => (inner = cache.getOrSet('k', never)))
          await refuses(outer, 'E_TIMEOUT')
          const since = performance.now()
          await refuses(inner, 'E_TIMEOUT')
          // Of every other load it would be a minute.
          assert.ok(performance.now() - since < 5000)
        },
        { loadTimeoutMs: 100 },
      ),
    )

    test(
      'no listener stays behind on any signal, whichever aborts and when',
      withCache(async (_, service) => {
        for (const at of [0, 1, 2]) {
          const controllers = Array.from({ length: 3 }, () => new AbortController())
          const bound = (each) => controllers.reduce((object, { signal }) => object.with({ signal }), each)
          const abort = () => controllers[at].abort()
          const calls = {
            'before the load': (cache) => cache.getOrSet('k', abort),
            'while it waits': (cache) => cache.getOrSet('k', () => (setImmediate(abort), never())),
          }
          for (const [when, call] of Object.entries(calls)) {
            await refuses(call(bound(service.cache)), 'E_ABORTED')
            const left = controllers.map(({ signal }) => getEventListeners(signal, 'abort').length)
            assert.deepEqual(left, [0, 0, 0], `${when}, ${at}`)
            controllers[at] = new AbortController()
            await service.cache.invalidate('k')
          }
          const validate = bound(service.sessions).validateSession(`t${at}`, { load: () => (abort(), { id: 1 }) })
          await refuses(validate, 'E_ABORTED')
          assert.deepEqual(
            controllers.map(({ signal }) => getEventListeners(signal, 'abort').length),
            [0, 0, 0],
          )
        }
      }),
    )

    for (const bad of [0, -1, NaN, '5', 2 ** 31 + 1, null]) {
      test(`${bad} is no time for a load`, () => {
        const service = new RedisService({ url: 'memory:' })
        assert.throws(() => new ApiCache(service, { loadTimeoutMs: bad }), { code: 'E_INVALID_ARGUMENT' })
      })
    }

    test(
      'a fake clock keeps no caller waiting',
      withCache(
        async (cache) => {
          const { setTimeout, performance } = globalThis
          globalThis.setTimeout = () => assert.fail('the clock of the test')
          globalThis.performance = { now: () => 0 }
          try {
            await refuses(cache.getOrSet('k', never), 'E_TIMEOUT')
            await refuses(cache.with({ timeoutMs: 20 }).getOrSet('l', never), 'E_TIMEOUT')
          } finally {
            Object.assign(globalThis, { setTimeout, performance })
          }
        },
        { loadTimeoutMs: 50 },
      ),
    )

    test(
      'what was loaded is returned though the service was disconnected meanwhile',
      withCache(async (cache, service) => {
        const [began, gate] = [deferred(), deferred()]
        const load = (at) => () => (at.resolve(), gate.promise.then(() => ({ id: 1 })))
        const beganToo = deferred()
        const results = Promise.all([
          cache.getOrSet('k', load(began), { tags: ['t'] }),
          service.sessions.validateSession('token', { load: load(beganToo) }),
        ])
        await Promise.all([began.promise, beganToo.promise])
        const disconnected = service.disconnect()
        gate.resolve()
        assert.deepEqual(await results, [{ id: 1 }, { id: 1 }])
        await disconnected
      }),
    )

    test(
      'a signal has one listener, however many loads and calls wait for it',
      withCache(async (cache, service) => {
        const { signal } = new AbortController()
        const warnings = []
        const warn = (warning) => warnings.push(warning.message)
        process.on('warning', warn)
        const [gate, began] = [deferred(), []]
        const bound = cache.with({ signal })
        const page = Array.from({ length: 12 }, (_, at) => {
          began.push(deferred())
          return bound.getOrSet(`part ${at}`, () => (began[at].resolve(), gate.promise))
        })
        await Promise.all(began.map(({ promise }) => promise))
        const calls = [bound.get('a'), service.with({ signal }).get('b'), service.limiter.with({ signal }).check('c')]
        assert.equal(getEventListeners(signal, 'abort').length, 1)
        gate.resolve(1)
        await Promise.all([...page, ...calls])
        assert.equal(getEventListeners(signal, 'abort').length, 0)
        await later()
        process.off('warning', warn)
        assert.deepEqual(warnings, [])
      }),
    )
  })

  describe(`loads that several places share, on ${engine.name}`, () => {
    const places = [{}, { tags: ['user'], ttl: 60 }, { tags: ['group'], staleWhileRevalidate: 600 }]
    test(
      'the value has the tags of all of them and the shortest life',
      withCache(async (cache, service) => {
        for (const tag of ['user', 'group']) {
          let [loads, db] = [0, 'old']
          const load = async () => (loads++, db)
          const values = await Promise.all(places.map((options) => cache.getOrSet('k', load, options)))
          assert.deepEqual([values, loads], [Array(3).fill('old'), 1])
          const client = service.getClient()
          assert.ok((await client.ttl('api:k')) <= 60)
          db = 'new'
          await cache.invalidateByTag(tag)
          assert.equal(await cache.getOrSet('k', load, places[1]), 'new')
          await cache.invalidate('k')
        }
      }),
    )

    test(
      'a place that comes with a tag of its own while another loads loses nothing of it',
      withCache(async (cache) => {
        const [began, gate] = [deferred(), deferred()]
        const first = cache.getOrSet('k', () => (began.resolve(), gate.promise))
        await began.promise
        assert.equal(await cache.getOrSet('k', () => 'with the tag', { tags: ['t'] }), 'with the tag')
        gate.resolve('without it')
        assert.equal(await first, 'without it')
        assert.equal(await cache.get('k'), 'with the tag')
        await cache.invalidateByTag('t')
        assert.equal(await cache.get('k'), null)
      }),
    )

    test(
      'a caller after an invalidation, in any process, does not share the load from before it',
      withCache(async (cache, service) => {
        const other = engine.kind === 'redis' ? new RedisService({ url: engine.server.url }) : service
        const there = new ApiCache(other)
        for (const [change, options] of [
          [() => there.invalidate('k'), {}],
          [() => there.invalidateByPattern('*'), {}],
          [() => there.invalidateByTag('t'), { tags: ['t'] }],
        ]) {
          const [began, gate] = [deferred(), deferred()]
          const before = cache.getOrSet('k', () => (began.resolve(), gate.promise), options)
          await began.promise
          await change()
          assert.equal(await cache.getOrSet('k', () => 'new'), 'new')
          gate.resolve('old')
          assert.equal(await before, 'old')
          assert.equal(await cache.get('k'), 'new')
          await cache.invalidate('k')
        }
        if (other !== service) await other.disconnect()
      }),
    )

    test(
      'a lease that the server has dropped stores nothing, and does no harm',
      withCache(async (cache, service) => {
        const [began, gate] = [deferred(), deferred()]
        const loading = cache.getOrSet('k', () => (began.resolve(), gate.promise), { tags: ['t'] })
        await began.promise
        await service.del('api:{api:k}:load')
        gate.resolve('loaded')
        assert.equal(await loading, 'loaded')
        assert.equal(await cache.get('k'), null)
        assert.equal(await cache.getOrSet('k', () => 'again', { tags: ['t'] }), 'again')
        await service.del('api:{api:tag:t}:mark')
        assert.equal(await cache.get('k'), null)
      }),
    )

    test(
      'every caller gets a copy of its own, the same by a load and by a hit',
      withCache(async (cache, service) => {
        const value = { at: new Date(0), n: NaN, z: -0, u: undefined, list: [undefined, { toJSON: () => 'own' }] }
        const kept = { at: '1970-01-01T00:00:00.000Z', n: null, z: 0, list: [null, 'own'] }
        const loaded = await Promise.all([cache.getOrSet('k', () => value), cache.getOrSet('k', () => value)])
        assert.deepEqual([...loaded, await cache.getOrSet('k', never)], Array(3).fill(kept))
        loaded[0].list.push(1)
        assert.deepEqual(loaded[1], kept)
        const load = () => ({ id: 1, at: new Date(0), u: undefined })
        const validate = () => service.sessions.validateSession('token', { load })
        assert.deepEqual([await validate(), await validate()], Array(2).fill({ id: 1, at: kept.at }))
      }),
    )

    test(
      'what would come back as something else is refused, by everything that keeps values',
      withCache(async (cache, service) => {
        class Hidden extends Map {}
        const bad = [
          new Map([['a', 1]]),
          new Set([1]),
          /x/,
          new Error('e'),
          Object.assign(new Error('e'), { code: 'E' }),
          new Uint8Array([1]),
          Buffer.from('a'),
          new ArrayBuffer(1),
          new Headers({ a: '1' }),
          new URLSearchParams('a=1'),
          new Hidden(),
          5n,
        ]
        const id = await service.sessions.createSession('u')
        for (const value of [...bad, ...[...bad, Promise.resolve(1)].map((value) => ({ deep: [value] }))]) {
          await refuses(cache.set('k', value), 'E_INVALID_ARGUMENT', /JSON/)
          await refuses(
            cache.getOrSet('k', () => value),
            'E_INVALID_ARGUMENT',
            /JSON/,
          )
          await refuses(service.sessions.createSession('u', { value }), 'E_INVALID_ARGUMENT', /JSON/)
          await refuses(service.sessions.updateSession(id, { value }), 'E_INVALID_ARGUMENT', /JSON/)
          await refuses(service.rooms.storeMessage('r', { value }), 'E_INVALID_ARGUMENT', /JSON/)
          await refuses(service.queue('q').add('job', { value }), 'E_INVALID_ARGUMENT', /JSON/)
        }
        assert.equal(await cache.get('k'), null)
        class Point {
          x = 1
        }
        await cache.set('k', [new Point(), Object.create(null), new Date(0)])
        assert.deepEqual(await cache.get('k'), [{ x: 1 }, {}, '1970-01-01T00:00:00.000Z'])
      }),
    )
  })
}

describe('loads in other threads and processes', () => {
  const change = (url, what) => `
    import { ApiCache, RedisService } from 'cinnabar'
    const service = new RedisService({ url: '${url}', log: false })
    await new ApiCache(service).${what}
    await service.disconnect()`
  const changes = [
    ["invalidate('k')", {}, null],
    ["invalidateByPattern('k*')", {}, null],
    ["invalidateByTag('t')", { tags: ['t'] }, null],
    ["set('k', 'set')", {}, 'set'],
    ["setMany([{ key: 'k', value: 'set' }])", { tags: ['t'] }, 'set'],
  ]
  const inProcess = async (url, what) => {
    const { status, err } = await runModule(change(url, what))
    assert.equal(status, 0, err)
  }
  const inThread = (url, what) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(threadSource(change(url, what)))}`))
      worker.on('error', reject).on('exit', resolve)
    })
  // A data: URL resolves no bare names.
  const threadSource = (source) => source.replace("'cinnabar'", `'${new URL('../../index.js', import.meta.url)}'`)

  for (const [where, run, url] of [
    ['another process', inProcess, () => redis.server.url],
    ['another thread', inThread, () => redis.server.url],
    ['another thread of the embedded engine', inThread, () => 'memory:of-two-threads'],
  ]) {
    test(`what is written or dropped in ${where} wins over a load`, async () => {
      await redis.makeService()
      const service = new RedisService({ url: url() })
      const cache = new ApiCache(service)
      for (const [what, options, left] of changes) {
        const [began, gate] = [deferred(), deferred()]
        const loading = cache.getOrSet('k', () => (began.resolve(), gate.promise), options)
        await began.promise
        await run(url(), what)
        gate.resolve('old')
        assert.equal(await loading, 'old')
        assert.equal(await cache.get('k'), left, what)
        await cache.invalidate('k')
      }
      await service.disconnect()
    })
  }
})
