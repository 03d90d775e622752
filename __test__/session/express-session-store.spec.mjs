// The store for express-session: what its documentation and that of connect-redis ask for, and what both leave open.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'

import { RedisService } from 'cinnabar'
import { CinnabarStore } from 'cinnabar/express-session'
import fc from 'fast-check'

import { rawClient, refuses, runJson } from '../helpers.mjs'
import { startCluster } from '../support/cluster.mjs'
import { engines, freePort } from '../support/engines.mjs'
import { called, conformance } from '../support/express-store.mjs'
import { startMonitor } from '../support/monitor.mjs'

const cookie = { originalMaxAge: null }
const strange = ['', '\0', '__proto__', 'constructor', '\ud800', '\udc00x', '*', '../..', '{}', 'x'.repeat(1 << 20)]

for (const engine of engines) {
  const withStore = (run) => async () => {
    const service = await engine.makeService()
    const make = (options) => new CinnabarStore({ service, ...options })
    try {
      await run({ make, client: await rawClient(service), service })
    } finally {
      await service.disconnect()
    }
  }

  describe(`the store for express-session on ${engine.name}`, () => {
    for (const [name, run] of Object.entries(conformance)) test(name, withStore(run))

    test(
      'a session that was destroyed is not brought back by a request that had loaded or saved it',
      withStore(async ({ make, client }) => {
        const [store, other] = [make(), make()]
        await store.set('1', { n: 1, cookie })
        const loaded = await called(store, 'load', '1')
        const data = await store.get('1')
        await other.destroy('1')
        loaded.n = 2
        await called(loaded, 'save')
        await store.set('1', data)
        await called(loaded, 'save')
        await store.touch('1', loaded)
        assert.equal(await client.exists('sess:1'), 0)

        const request = { sessionID: '2', sessionStore: store }
        const created = store.createSession(request, { n: 1, cookie: { ...cookie } })
        await called(created, 'save')
        assert.equal(await client.exists('sess:2'), 1)
        await other.destroy('2')
        await called(created, 'save')
        assert.equal(await client.exists('sess:2'), 0)
        // Under another id it is another session.
        await store.set('3', created)
        assert.equal(await client.exists('sess:3'), 1)
      }),
    )

    test(
      'requests that change different fields at the same time all succeed',
      withStore(async ({ make, client }) => {
        const stores = [make(), make()]
        await stores[0].set('1', { a: 1, b: [1], keep: { x: 1 }, gone: 1, cookie })
        const sessions = await Promise.all(Array.from({ length: 8 }, (_, n) => called(stores[n % 2], 'load', '1')))
        for (const [n, session] of sessions.entries()) session[`own${n}`] = n
        sessions[0].b.push(2)
        delete sessions[1].gone
        sessions[2].__proto__2 = 1
        await Promise.all(sessions.map((session) => called(session, 'save')))
        const stored = JSON.parse(await client.get('sess:1'))
        for (let n = 0; n < 8; n++) assert.equal(stored[`own${n}`], n)
        assert.deepEqual([stored.a, stored.b, stored.keep, 'gone' in stored], [1, [1, 2], { x: 1 }, false])
        // Each saves again what it changes later, and does not take back what others have changed.
        for (const [n, session] of sessions.entries()) session[`own${n}`] = n + 100
        for (const session of sessions) await called(session, 'save')
        const last = JSON.parse(await client.get('sess:1'))
        for (let n = 0; n < 8; n++) assert.equal(last[`own${n}`], n + 100)
        assert.deepEqual(last.b, [1, 2])
        assert.equal('gone' in last, false)
      }),
    )

    test(
      'touching a session object renews its ttl and the expiry in its cookie, and nothing else',
      withStore(async ({ make, client }) => {
        const store = make()
        const expires = new Date(Date.now() + 60_000)
        await store.set('1', { n: 1, cookie: { originalMaxAge: 60_000, expires } })
        const [session, late] = [await called(store, 'load', '1'), await called(store, 'load', '1')]
        const until = Date.now() + 90_000
        session.n = 2
        session.cookie.expires = new Date(until)
        await called(store, 'touch', '1', session)
        const stored = JSON.parse(await client.get('sess:1'))
        assert.deepEqual([stored.n, Date.parse(stored.cookie.expires)], [1, until])
        assert.ok((await client.pTTL('sess:1')) > 80_000)
        // Another request has changed it meanwhile.
        late.cookie.expires = new Date(until + 30_000)
        await called(store, 'touch', '1', late)
        const after = JSON.parse(await client.get('sess:1'))
        assert.deepEqual([after.n, Date.parse(after.cookie.expires)], [1, until + 30_000])
        assert.ok((await client.pTTL('sess:1')) > 110_000)
        await called(session, 'save')
        assert.equal(JSON.parse(await client.get('sess:1')).n, 2)
        await store.destroy('1')
        await called(store, 'touch', '1', session)
        assert.equal(await client.exists('sess:1'), 0)
      }),
    )

    test(
      'an age that one request sets stays, whatever requests beside it do',
      withStore(async ({ make, client }) => {
        const [MINUTE, MONTH] = [60_000, 30 * 86_400_000]
        for (const age of [MINUTE, null]) {
          for (const beside of ['read', 'save']) {
            for (const last of ['age', 'beside']) {
              const store = make({ ttl: 60 })
              const expires = age && new Date(Date.now() + age)
              await store.set('1', { n: 1, cookie: { originalMaxAge: age, expires, path: '/' } })
              const [session, other] = [await called(store, 'load', '1'), await called(store, 'load', '1')]
              const setAge = async () => {
                session.cookie.maxAge = MONTH
                await called(store, 'touch', '1', session)
              }
              const run = async () => {
                other.touch()
                other.cookie.path = '/app'
                if (beside === 'save') other.more = 1
                await called(store, beside === 'save' ? 'set' : 'touch', '1', other)
              }
              for (const step of last === 'age' ? [run, setAge] : [setAge, run]) await step()
              const { cookie, more } = JSON.parse(await client.get('sess:1'))
              const name = `${age} ${beside} ${last}`
              assert.ok(Math.abs(cookie.originalMaxAge - MONTH) < 1000, name)
              assert.ok(Date.parse(cookie.expires) > Date.now() + MONTH - MINUTE, name)
              assert.deepEqual([more, cookie.path], [beside === 'save' ? 1 : undefined, '/app'], name)
              assert.ok((await client.pTTL('sess:1')) > MONTH - MINUTE, name)
              // The other way round too: the object that has the older age is touched again.
              await called(store, 'touch', '1', other)
              assert.ok((await client.pTTL('sess:1')) > MONTH - MINUTE, name)
            }
          }
        }
      }),
    )

    test(
      'a session lives as long as its cookie, to the millisecond',
      withStore(async ({ make, client }) => {
        const store = make()
        await store.set('1', { cookie: { originalMaxAge: 3000, expires: new Date(Date.now() + 3000) } })
        const left = await client.pTTL('sess:1')
        assert.ok(left > 0 && left <= 3000, `${left} ms`)
      }),
    )

    test(
      'whatever a client sends as an id, it is at worst no session',
      withStore(async ({ make, service }) => {
        const store = make()
        await store.set('mine', { n: 1, cookie })
        for (const sid of strange) {
          assert.equal(await called(store, 'get', sid), null)
          assert.equal(await called(store, 'load', sid), undefined)
          await called(store, 'touch', sid, { cookie })
          await called(store, 'destroy', sid)
          assert.equal(await store.get(sid), null)
        }
        const units = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)), maxLength: 40 }) // prettier-ignore
        const sids = fc.sample(fc.oneof(fc.string(), units, fc.string({ unit: 'binary' })), 10_000)
        const found = await Promise.all(sids.map((sid) => called(store, 'get', sid)))
        assert.ok(found.every((session) => session === null))
        const kept = sids.slice(0, 500)
        for (const [n, sid] of kept.entries()) await store.set(sid, { n, cookie })
        const last = new Map(kept.map((sid, n) => [sid, n]))
        for (const [sid, n] of last) assert.equal((await store.get(sid)).n, n)
        assert.equal((await store.get('mine')).n, 1)
        await store.clear()
        assert.equal(await service.getClient().dbSize(), 0)
      }),
    )

    test(
      'values that are no sessions are none, and text that cannot be read is an error',
      withStore(async ({ make, client }) => {
        const store = make()
        for (const text of ['', 'null', '1', '"a"', '[]']) {
          await client.set('sess:1', text)
          assert.equal(await store.get('1'), null)
        }
        await client.set('sess:1', '{"n":1}')
        assert.deepEqual(await store.get('1'), { n: 1 })
        await client.set('sess:1', 'no json')
        await assert.rejects(called(store, 'get', '1'), SyntaxError)
      }),
    )

    test(
      'wrong options are refused',
      withStore(async ({ make, service }) => {
        for (const [options, message] of [
          [{ client: {} }, /client is an option of connect-redis: pass a RedisService as service/],
          [{ tll: 1 }, /unknown option "tll"; did you mean "ttl"/],
          [{ ttl: 0 }, /ttl must be/],
          [{ ttl: '60' }, /ttl must be/],
          [{ prefix: 1 }, /prefix must be a string/],
          [{ scanCount: 0 }, /scanCount/],
          [{ serializer: {} }, /serializer\.parse/],
          [{ disableTouch: 1 }, /disableTouch must be true or false/],
          [{ disableTTL: 'yes' }, /disableTTL must be true or false/],
          [{ service: {} }, /RedisService/],
        ])
          assert.throws(() => make(options), { code: 'E_INVALID_ARGUMENT', message })
        assert.throws(() => new CinnabarStore(service), { code: 'E_INVALID_ARGUMENT' })
        for (const prefix of ['session:', 'session:{', 'x'.repeat(129)])
          assert.throws(() => make({ prefix }), { code: 'E_INVALID_SETTINGS' })
        await make({ prefix: '{mine}:' }).set('1', { cookie })
        await refuses(make().get(1), 'E_INVALID_ARGUMENT', /the name must be a string/)
        for (const session of [undefined, null, 1, 'a', []])
          await refuses(called(make(), 'set', '1', session), 'E_INVALID_ARGUMENT', /session must be an object/)
      }),
    )
  })
}

test('a request costs one round trip for each method', async () => {
  const redis = engines.find(({ kind }) => kind === 'redis')
  const service = await redis.makeService()
  const store = new CinnabarStore({ service })
  await store.set('1', { n: 1, cookie })
  await called(await called(store, 'load', '1'), 'save')
  const commandsOf = async (run) => {
    const monitor = await startMonitor(redis.server)
    const result = await run()
    const seen = await monitor.stop()
    const own = seen.filter(({ script, words }) => !script && words[0].toUpperCase() !== 'ECHO')
    return [own.map(({ words }) => words[0].toUpperCase()), result]
  }
  const [get, session] = await commandsOf(() => called(store, 'load', '1'))
  session.n = 2
  assert.deepEqual(get, ['GET'])
  assert.deepEqual((await commandsOf(() => called(session, 'save')))[0], ['EVALSHA'])
  assert.deepEqual((await commandsOf(() => called(store, 'touch', '1', session)))[0], ['EVALSHA'])
  assert.deepEqual((await commandsOf(() => called(store, 'touch', '1', { cookie })))[0], ['PEXPIRE'])
  session.cookie.maxAge = 60_000
  assert.deepEqual((await commandsOf(() => called(store, 'touch', '1', session)))[0], ['EVALSHA'])
  assert.deepEqual((await commandsOf(() => called(store, 'destroy', '1')))[0], ['DEL'])
  assert.deepEqual((await commandsOf(() => called(store, 'set', '1', { cookie })))[0], ['SET'])
  await service.disconnect()
})

test('without a server every method passes an error that has no session id in it', async (t) => {
  const port = await freePort()
  const make = (onUnavailable) => {
    const service = new RedisService({ url: `redis://127.0.0.1:${port}`, timeoutMs: 300, log: false, onUnavailable })
    t.after(() => service.disconnect())
    return new CinnabarStore({ service })
  }
  const store = make('throw')
  const sid = 'the-id-of-a-session'
  for (const [name, ...args] of [
    ['get', sid],
    ['set', sid, { cookie }],
    ['touch', sid, { cookie }],
    ['destroy', sid],
    ['clear'],
    ['length'],
    ['ids'],
    ['all'],
  ])
    await assert.rejects(called(store, name, ...args), (error) => {
      assert.equal(error.retryable, true, error.stack)
      assert.ok(!JSON.stringify({ ...error, message: error.message, stack: error.stack }).includes(sid))
      return true
    })
  const lenient = make('empty')
  assert.equal(await called(lenient, 'get', sid), null)
  assert.deepEqual([await lenient.length(), await lenient.ids(), await lenient.all()], [0, [], []])
  await called(lenient, 'touch', sid, { cookie })
  await assert.rejects(called(lenient, 'set', sid, { cookie }), { retryable: true })
})

test('in a cluster, the sessions of all nodes are found', async (t) => {
  const cluster = await startCluster()
  t.after(() => cluster.close())
  const service = new RedisService({ url: cluster.url, log: false })
  t.after(() => service.disconnect())
  const store = new CinnabarStore({ service })
  await Promise.all(Array.from({ length: 300 }, (_, n) => store.set(`s${n}`, { n, cookie })))
  assert.deepEqual([await store.length(), (await store.all()).length], [300, 300])
  const session = await called(store, 'load', 's7')
  session.more = 1
  await called(session, 'save')
  assert.equal((await store.get('s7')).more, 1)
  await store.clear()
  assert.equal(await store.length(), 0)
})

test('without a service it is on the default one, in a program that imports nothing else', async () => {
  const result = await runJson(
    `import { CinnabarStore } from 'cinnabar/express-session'
    const store = new CinnabarStore()
    await store.set('1', { n: 1, cookie: { originalMaxAge: null } })
    console.log(JSON.stringify(await store.get('1')))`,
    { env: { REDIS_URL: 'memory:' } },
  )
  assert.deepEqual(result, { n: 1, cookie })
})

test('what a callback throws is not caught, and the callback is not called again', async () => {
  const result = await runJson(`
    import { CinnabarStore } from 'cinnabar/express-session'
    const store = new CinnabarStore()
    const found = await store.get('none')
    const errors = []
    let calls = 0
    process.on('uncaughtException', (error) => errors.push(error.message))
    const returned = store.get('none', () => {
      calls++
      throw new Error('thrown by the application')
    })
    const atOnce = calls
    while (errors.length === 0) await new Promise(setImmediate)
    // Another round trip, in which it could be called again.
    await store.get('none')
    console.log(JSON.stringify({ found, returned: returned === undefined, atOnce, calls, errors }))
  `)
  assert.deepEqual(result, { found: null, returned: true, atOnce: 0, calls: 1, errors: ['thrown by the application'] })
})
