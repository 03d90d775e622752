// What express-session's documentation requires of a store, and what connect-redis's says about its own. Each entry is a sentence and
// its check; `make(options)` makes a store, and `client` is a raw client of the same server. connect-redis passes all of them.

import assert from 'node:assert/strict'

import expressSession from 'express-session'

const cookie = (more) => ({ originalMaxAge: null, ...more })
const inSeconds = (seconds) => new Date(Date.now() + seconds * 1000)
const near = (ttl, wanted) => assert.ok(ttl > wanted - 5 && ttl <= wanted, `expected about ${wanted} s, got ${ttl}`)

/** Calls a method that takes a callback; its arguments are those of the callback, which is called once. */
export function called(store, name, ...args) {
  return new Promise((resolve, reject) => {
    let calls = 0
    store[name](...args, (...results) => {
      if (++calls > 1) reject(new Error(`${name} called back twice`))
      // One turn of the event loop, in which it could be called once more.
      setImmediate(() => (results[0] ? reject(results[0]) : resolve(results[1])))
    })
  })
}

export const conformance = {
  'it is a Store, and so an emitter of events': async ({ make }) => {
    const store = make()
    assert.ok(store instanceof expressSession.Store)
    assert.equal(typeof store.on, 'function')
    for (const name of ['all', 'destroy', 'clear', 'length', 'get', 'set', 'touch', 'ids'])
      assert.equal(typeof store[name], 'function', name)
  },
  'the defaults are those of connect-redis': async ({ make }) => {
    const { prefix, ttl, scanCount, serializer, disableTTL, disableTouch } = make()
    assert.deepEqual([prefix, ttl, scanCount, disableTTL, disableTouch], ['sess:', 86_400, 100, false, false])
    assert.equal(serializer, JSON)
  },
  'get calls back with null or undefined for a session that is not found': async ({ make }) => {
    assert.equal((await called(make(), 'get', 'none')) ?? null, null)
  },
  'set upserts a session, which get returns': async ({ make }) => {
    const store = make()
    await called(store, 'set', '123', { foo: 'bar', cookie: cookie() })
    assert.deepEqual(await called(store, 'get', '123'), { foo: 'bar', cookie: cookie() })
    await called(store, 'set', '123', { foo: 'baz', cookie: cookie() })
    assert.equal((await called(store, 'get', '123')).foo, 'baz')
  },
  'a session that was destroyed can be stored again by its object': async ({ make }) => {
    const store = make()
    const data = { foo: 'bar', cookie: cookie() }
    for (let turn = 0; turn < 2; turn++) {
      await called(store, 'set', '123', data)
      assert.deepEqual(await called(store, 'get', '123'), data)
      await called(store, 'destroy', '123')
      assert.equal((await called(store, 'get', '123')) ?? null, null)
    }
  },
  'a session is JSON under the prefix and its id': async ({ make, client }) => {
    await called(make(), 'set', 'a{b}*%', { list: [], cookie: cookie() })
    assert.equal(await client.get('sess:a{b}*%'), '{"list":[],"cookie":{"originalMaxAge":null}}')
    await client.set('sess:other', '{"cookie":{"originalMaxAge":null},"n":1}', { EX: 60 })
    assert.equal((await called(make(), 'get', 'other')).n, 1)
  },
  'without an expiry of the cookie the ttl is the option': async ({ make, client }) => {
    await called(make(), 'set', '1', { cookie: cookie() })
    near(await client.ttl('sess:1'), 86_400)
    await called(make({ ttl: 60 }), 'set', '1', { cookie: cookie() })
    near(await client.ttl('sess:1'), 60)
  },
  'the expiry of the cookie is the ttl': async ({ make, client }) => {
    await called(make(), 'set', '1', { cookie: cookie({ expires: inSeconds(60) }) })
    near(await client.ttl('sess:1'), 60)
    await called(make(), 'set', '1', { cookie: cookie({ expires: inSeconds(90).toISOString() }) })
    near(await client.ttl('sess:1'), 90)
    const own = new expressSession.Cookie({ maxAge: 120_000 })
    await called(make(), 'set', '1', { cookie: own })
    near(await client.ttl('sess:1'), 120)
  },
  'the ttl may be a function of the session': async ({ make, client }) => {
    const store = make({ ttl: (session) => session.life })
    await called(store, 'set', '1', { life: 33, cookie: cookie({ expires: inSeconds(60) }) })
    near(await client.ttl('sess:1'), 33)
    await called(store, 'touch', '1', { life: 44, cookie: cookie() })
    near(await client.ttl('sess:1'), 44)
  },
  'a session whose cookie has expired is destroyed': async ({ make, client }) => {
    const store = make()
    await called(store, 'set', '1', { cookie: cookie({ expires: inSeconds(60) }) })
    await called(store, 'set', '1', { cookie: cookie({ expires: inSeconds(-60) }) })
    assert.equal(await client.exists('sess:1'), 0)
  },
  'touch renews the ttl and nothing else': async ({ make, client }) => {
    const store = make()
    await called(store, 'set', '1', { n: 1, cookie: cookie({ expires: inSeconds(60) }) })
    const before = await client.get('sess:1')
    await called(store, 'touch', '1', { n: 2, cookie: cookie({ expires: inSeconds(90) }) })
    near(await client.ttl('sess:1'), 90)
    assert.equal(await client.get('sess:1'), before)
  },
  'touch does not bring back a session': async ({ make, client }) => {
    await called(make(), 'touch', 'gone', { cookie: cookie() })
    assert.equal(await client.exists('sess:gone'), 0)
  },
  'disableTouch leaves the ttl as it is': async ({ make, client }) => {
    const store = make({ disableTouch: true })
    await called(store, 'set', '1', { cookie: cookie({ expires: inSeconds(60) }) })
    await called(store, 'touch', '1', { cookie: cookie({ expires: inSeconds(90) }) })
    near(await client.ttl('sess:1'), 60)
  },
  'disableTTL keeps sessions without a ttl': async ({ make, client }) => {
    const store = make({ disableTTL: true })
    await called(store, 'set', '1', { cookie: cookie({ expires: inSeconds(60) }) })
    assert.equal(await client.ttl('sess:1'), -1)
    await called(store, 'touch', '1', { cookie: cookie({ expires: inSeconds(60) }) })
    assert.equal(await client.ttl('sess:1'), -1)
  },
  'destroy removes a session, and does not mind one that is gone': async ({ make, client }) => {
    const store = make()
    await called(store, 'set', '1', { cookie: cookie() })
    await called(store, 'destroy', '1')
    await called(store, 'destroy', '1')
    assert.equal(await client.exists('sess:1'), 0)
  },
  'all, ids, length and clear are about the sessions under the prefix': async ({ make, client }) => {
    const store = make({ prefix: 'own:' })
    await client.set('sess:x', '{}')
    assert.deepEqual([await called(store, 'ids'), await called(store, 'length')], [[], 0])
    assert.deepEqual(await called(store, 'all'), [])
    for (let n = 0; n < 250; n++) await called(store, 'set', `s${n}`, { n, cookie: cookie() })
    assert.equal(await called(store, 'length'), 250)
    assert.deepEqual(new Set(await called(store, 'ids')), new Set(Array.from({ length: 250 }, (_, n) => `s${n}`)))
    const all = await called(store, 'all')
    assert.equal(all.length, 250)
    for (const session of all) assert.deepEqual(session, { id: `s${session.n}`, n: session.n, cookie: cookie() })
    await called(store, 'clear')
    await called(store, 'clear')
    assert.equal(await called(store, 'length'), 0)
    assert.equal(await client.exists('sess:x'), 1)
  },
  'a serializer of its own writes and reads sessions': async ({ make, client }) => {
    const serializer = {
      stringify: (session) => `text of ${JSON.stringify(session)}`,
      parse: async (text) => JSON.parse(text.slice('text of '.length)),
    }
    const store = make({ serializer })
    await called(store, 'set', '1', { n: 1, cookie: cookie() })
    assert.match(await client.get('sess:1'), /^text of \{/)
    assert.equal((await called(store, 'get', '1')).n, 1)
  },
  'what a serializer throws is passed to the callback': async ({ make, client }) => {
    const fail = () => {
      throw new Error('unreadable')
    }
    const store = make({ serializer: { parse: fail, stringify: fail } })
    await client.set('sess:1', '{}')
    await assert.rejects(called(store, 'get', '1'), /unreadable/)
    await assert.rejects(called(store, 'set', '1', { cookie: cookie() }), /unreadable/)
  },
  'without a callback each method returns a promise': async ({ make }) => {
    const store = make()
    await store.set('1', { n: 1, cookie: cookie() })
    assert.equal((await store.get('1')).n, 1)
    await store.touch('1', { cookie: cookie() })
    assert.deepEqual([await store.ids(), await store.length(), (await store.all()).length], [['1'], 1, 1])
    await store.destroy('1')
    await store.clear()
    assert.equal((await store.get('1')) ?? null, null)
  },
  'load makes a Session, with a Cookie whose expiry is a Date': async ({ make }) => {
    const store = make()
    const expires = inSeconds(60)
    await called(store, 'set', '1', { n: 1, cookie: cookie({ expires, originalMaxAge: 60_000 }) })
    const session = await called(store, 'load', '1')
    assert.ok(session instanceof expressSession.Session && session.cookie instanceof expressSession.Cookie)
    assert.deepEqual([session.n, session.id, session.cookie.originalMaxAge], [1, '1', 60_000])
    assert.equal(+session.cookie.expires, +expires)
    assert.equal(await called(store, 'load', 'none'), undefined)
  },
  'a session that was loaded can be changed, saved, reloaded, touched and destroyed': async ({ make, client }) => {
    const store = make()
    await called(store, 'set', '1', { n: 1, cookie: cookie() })
    const session = await called(store, 'load', '1')
    session.n = 2
    await called(session, 'save')
    assert.equal(JSON.parse(await client.get('sess:1')).n, 2)
    await called(store, 'set', '1', { n: 3, cookie: cookie() })
    await called(session, 'reload')
    assert.equal(session.req.session.n, 3)
    session.req.session.resetMaxAge()
    await called(session.req.session, 'destroy')
    assert.equal(await client.exists('sess:1'), 0)
  },
}
