// An application with the real express-session, over HTTP, whose sessions are in this package's store.
import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'

import { CinnabarStore } from 'cinnabar/express-session'
import express from 'express'
import expressSession from 'express-session'

import { deferred, rawClient } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const secret = 'a secret of this test'

async function startApp(store, options, gates = {}) {
  const app = express()
  app.use(expressSession({ store, secret, resave: false, saveUninitialized: false, ...options }))
  app.get('/set/:name', async (request, response) => {
    request.session[request.params.name] = 1
    await gates[request.params.name]?.entered.resolve()
    await gates[request.params.name]?.left.promise
    response.json(request.session)
  })
  app.get('/get', (request, response) => response.json(request.session))
  app.get('/login', (request, response, next) => {
    request.session.regenerate((error) => {
      if (error) return next(error)
      request.session.user = 'ada'
      return response.json({ id: request.sessionID })
    })
  })
  app.get('/logout', (request, response, next) => {
    request.session.destroy((error) => (error ? next(error) : response.json({})))
  })
  app.use((error, _request, response, _next) => response.status(500).json({ error: error.message }))
  const server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  after(() => server.close())
  const url = `http://127.0.0.1:${server.address().port}`
  let cookie
  return async (path, own = cookie) => {
    const response = await fetch(url + path, { headers: own === undefined ? {} : { cookie: own } })
    const [set] = response.headers.getSetCookie()
    if (set) [cookie] = set.split(';')
    return { status: response.status, body: await response.json(), set, cookie: set ? cookie : own }
  }
}

for (const engine of engines) {
  describe(`an application with express-session on ${engine.name}`, () => {
    const withApp = (run, options) => async () => {
      const service = await engine.makeService()
      const store = new CinnabarStore({ service })
      const gates = {}
      try {
        const fetchPath = await startApp(store, options, gates)
        await run({ fetchPath, store, gates, client: await rawClient(service) })
      } finally {
        await service.disconnect()
      }
    }

    test(
      'a session is kept between requests, and one that nothing is stored in is not stored',
      withApp(async ({ fetchPath, store, client }) => {
        assert.equal((await fetchPath('/get')).set, undefined)
        assert.equal(await store.length(), 0)
        assert.match((await fetchPath('/set/a')).set, /^connect\.sid=/)
        await fetchPath('/set/b')
        const { body } = await fetchPath('/get')
        assert.deepEqual([body.a, body.b], [1, 1])
        const [sid] = await store.ids()
        assert.deepEqual(JSON.parse(await client.get(`sess:${sid}`)), body)
      }),
    )

    test(
      'a sign-in gets a new session and the one before is gone; a sign-out ends it',
      withApp(async ({ fetchPath, store }) => {
        const before = (await fetchPath('/set/cart')).cookie
        const { body } = await fetchPath('/login')
        assert.deepEqual(await store.ids(), [body.id])
        assert.equal((await fetchPath('/get')).body.user, 'ada')
        assert.equal('cart' in (await fetchPath('/get', before)).body, false)
        await fetchPath('/logout')
        assert.deepEqual(await store.ids(), [])
        assert.equal('user' in (await fetchPath('/get')).body, false)
      }),
    )

    test(
      'a request that is still running when the user signs out does not bring the session back',
      withApp(async ({ fetchPath, store, gates }) => {
        await fetchPath('/set/cart')
        gates.slow = { entered: deferred(), left: deferred() }
        const slow = fetchPath('/set/slow')
        await gates.slow.entered.promise
        await fetchPath('/logout')
        gates.slow.left.resolve()
        assert.equal((await slow).status, 200)
        assert.deepEqual(await store.ids(), [])
        assert.equal('cart' in (await fetchPath('/get')).body, false)
      }),
    )

    test(
      'parallel requests that change different fields both succeed',
      withApp(async ({ fetchPath, gates }) => {
        await fetchPath('/set/cart')
        gates.slow = { entered: deferred(), left: deferred() }
        const slow = fetchPath('/set/slow')
        await gates.slow.entered.promise
        await fetchPath('/set/quick')
        gates.slow.left.resolve()
        await slow
        const { cart, quick, slow: kept } = (await fetchPath('/get')).body
        assert.deepEqual([cart, quick, kept], [1, 1, 1])
      }),
    )

    test(
      'a hundred requests at a time lose nothing, with every session saved by every request',
      withApp(
        async ({ fetchPath }) => {
          const { cookie } = await fetchPath('/set/first')
          const names = Array.from({ length: 100 }, (_, n) => `f${n}`)
          const all = await Promise.all(names.map((name) => fetchPath(`/set/${name}`, cookie)))
          assert.ok(all.every(({ status }) => status === 200))
          const { body } = await fetchPath('/get', cookie)
          for (const name of ['first', ...names]) assert.equal(body[name], 1, name)
        },
        { resave: true, rolling: true, cookie: { maxAge: 60_000 } },
      ),
    )

    test(
      'a request that changes nothing renews the ttl',
      withApp(
        async ({ fetchPath, store, client }) => {
          await fetchPath('/set/a')
          const [sid] = await store.ids()
          await client.expire(`sess:${sid}`, 10)
          await fetchPath('/get')
          assert.ok((await client.ttl(`sess:${sid}`)) > 50)
        },
        { cookie: { maxAge: 60_000 } },
      ),
    )

    test(
      'cookies of strangers are at worst no session',
      withApp(async ({ fetchPath }) => {
        const sids = ['', '%00', '%ED%A0%80', '__proto__', 's%3A__proto__.x', 's%3A', `s%3A${'x'.repeat(8000)}.y`, '%']
        for (const sid of sids) {
          const { status, body } = await fetchPath('/get', `connect.sid=${sid}`)
          assert.equal(status, 200, sid)
          assert.deepEqual(Object.keys(body), ['cookie'])
        }
      }),
    )
  })
}
