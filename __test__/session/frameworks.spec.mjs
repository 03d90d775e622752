// The same application in each framework, over HTTP: the middleware sets the session, and the response gets the cookie.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { connect, createServer as createServer2 } from 'node:http2'
import { after, describe, test } from 'node:test'

import { serve } from '@hono/node-server'
import { RedisService, SessionManager } from 'cinnabar'
import express from 'express'
import { Hono } from 'hono'
import Fastify from 'fastify'

import { session as forExpress } from 'cinnabar/express'
import { session as forFastify } from 'cinnabar/fastify'
import { session as forHono } from 'cinnabar/hono'

import { freePort, engines } from '../support/engines.mjs'

const listening = async (server) => {
  await new Promise((resolve) => (server.listening ? resolve() : server.once('listening', resolve)))
  after(() => server.close())
  return `http://127.0.0.1:${server.address().port}`
}

/** Each starts the application and returns its URL. */
const APPS = {
  hono(sessions) {
    const app = new Hono()
    app.use(forHono({ sessions }))
    app.post('/login', async (c) => {
      await c.get('session').signIn('ada', { role: 'admin' })
      c.header('set-cookie', 'other=1', { append: true })
      return c.redirect('/profile', 303)
    })
    app.get('/profile', forHono({ sessions, required: true }), (c) => c.json(c.get('session').data))
    app.post('/logout', async (c) => {
      await c.get('session').destroy()
      return c.text('bye')
    })
    app.get('/', (c) => c.text(c.get('session').userId ?? 'anonymous'))
    return listening(serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }))
  },
  express(sessions) {
    const app = express()
    app.use(forExpress({ sessions }))
    app.post('/login', async (request, response) => {
      await request.session.signIn('ada', { role: 'admin' })
      response.append('set-cookie', 'other=1').redirect(303, '/profile')
    })
    app.get('/profile', forExpress({ sessions, required: true }), (request, response) => response.json(request.session))
    app.post('/logout', async (request, response) => {
      await request.session.destroy()
      response.send('bye')
    })
    app.get('/', (request, response) => response.type('text').send(request.session.userId ?? 'anonymous'))
    return listening(app.listen(0, '127.0.0.1'))
  },
  async fastify(sessions) {
    const app = Fastify()
    await app.register(forFastify, { sessions })
    app.post('/login', async (request, reply) => {
      await request.session.signIn('ada', { role: 'admin' })
      return reply.header('set-cookie', 'other=1').redirect('/profile', 303)
    })
    await app.register(async (inner) => {
      await inner.addHook('onRequest', async (request, reply) => {
        if (request.session.data !== null) return undefined
        return reply.code(401).type('application/problem+json').send('{"status":401}')
      })
      inner.get('/profile', async (request) => request.session.data)
    })
    app.post('/logout', async (request) => {
      await request.session.destroy()
      return 'bye'
    })
    app.get('/', async (request) => request.session.userId ?? 'anonymous')
    after(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  'node:http'(sessions) {
    const [open, required] = [forExpress({ sessions }), forExpress({ sessions, required: true })]
    const server = createServer((request, response) => {
      const route = `${request.method} ${request.url}`
      const guard = route === 'GET /profile' ? required : open
      guard(request, response, async () => {
        if (route === 'POST /login') {
          await request.session.signIn('ada', { role: 'admin' })
          response.writeHead(303, 'See Other', { location: '/profile', 'set-cookie': ['other=1'] }).end()
        } else if (route === 'GET /profile') {
          response.writeHead(200, ['content-type', 'application/json']).end(JSON.stringify(request.session))
        } else if (route === 'POST /logout') {
          await request.session.destroy()
          response.end('bye')
        } else response.end(request.session.userId ?? 'anonymous')
      })
    })
    server.listen(0, '127.0.0.1')
    return listening(server)
  },
}

const problem = async (response) => {
  assert.equal(response.headers.get('content-type').split(';')[0], 'application/problem+json')
  return [response.status, (await response.json()).status]
}

for (const engine of engines) {
  for (const [name, start] of Object.entries(APPS)) {
    describe(`${name} on ${engine.name}`, async () => {
      const service = await engine.makeService()
      const sessions = new SessionManager(service, { cookie: { secure: false } })
      const url = await start(sessions)
      after(() => service.disconnect())
      const send = (path, { cookie, ...options } = {}) =>
        fetch(url + path, {
          redirect: 'manual',
          ...options,
          headers: { ...options.headers, ...(cookie && { cookie }) },
        })

      test('a user signs in, reads a protected page and signs out', async () => {
        assert.equal(await (await send('/')).text(), 'anonymous')
        assert.deepEqual(await problem(await send('/profile')), [401, 401])
        const login = await send('/login', { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } })
        assert.deepEqual([login.status, login.headers.get('location')], [303, '/profile'])
        const set = login.headers.getSetCookie()
        assert.equal(set.length, 2, String(set))
        assert.ok(set.includes('other=1'))
        const header = set.find((each) => each !== 'other=1')
        assert.match(header, /^session=cst_[0-9a-f]{64}; HttpOnly; SameSite=Lax; Path=\/; Max-Age=86400$/)
        const cookie = header.split(';')[0]
        const profile = await send('/profile', { cookie })
        assert.deepEqual([profile.status, profile.headers.getSetCookie()], [200, []])
        assert.equal((await profile.json()).role, 'admin')
        assert.equal(await (await send('/', { cookie })).text(), 'ada')

        const forged = await send('/logout', { method: 'POST', cookie, headers: { 'sec-fetch-site': 'cross-site' } })
        assert.deepEqual(await problem(forged), [403, 403])
        assert.equal(await (await send('/', { cookie })).text(), 'ada')
        const logout = await send('/logout', { method: 'POST', cookie })
        assert.match(logout.headers.get('set-cookie'), /^session=; .*Max-Age=0$/)
        assert.equal(await (await send('/', { cookie })).text(), 'anonymous')
      })

      test('no cookie or header of a stranger makes it fail', async () => {
        const odd = [
          '',
          '=',
          ';;;',
          'session',
          'session=',
          'session="',
          'session=%',
          'session=%00',
          'session=%ff%fe',
          '__proto__=1',
        ]
        const long = `session=${'x'.repeat(8000)}`
        for (const cookie of [
          ...odd,
          long,
          `session=${'%F0%9F%98%80'.repeat(100)}`,
          'session=a; session=b',
          'SESSION=a',
        ]) {
          const response = await send('/', { headers: { cookie } })
          assert.deepEqual([response.status, await response.text()], [200, 'anonymous'], cookie.slice(0, 40))
        }
        for (const authorization of [
          'Bearer',
          'Bearer ',
          'bearer x',
          'Basic eDp5',
          'Bearer a b',
          `Bearer ${'y'.repeat(8000)}`,
        ]) {
          assert.equal((await send('/', { headers: { authorization } })).status, 200, authorization.slice(0, 40))
        }
      })
    })
  }
}

for (const [name, start] of Object.entries(APPS)) {
  test(`${name} responds with 503 while the server cannot be reached`, async () => {
    const service = new RedisService({ url: `redis://127.0.0.1:${await freePort()}`, connectWaitMs: 50, log: false })
    const url = await start(new SessionManager(service, { cookie: { secure: false } }))
    const response = await fetch(url, { headers: { cookie: `session=cst_${'0'.repeat(64)}` } })
    assert.equal(response.headers.get('retry-after'), '1')
    assert.deepEqual(await problem(response), [503, 503])
    assert.equal(await (await fetch(url)).text(), 'anonymous', 'nothing has to be read')
    await service.disconnect()
  })
}

for (const [name, middleware, run] of [
  [
    'hono',
    forHono,
    async (users, admins, cookie) => {
      const app = new Hono()
      app.use(users)
      app.get('/', admins, (c) => c.text('admin'))
      return (await app.request('/', { headers: { cookie } })).status
    },
  ],
  [
    'express',
    forExpress,
    async (users, admins, cookie) => {
      const app = express()
      app.use(users)
      app.get('/', admins, (request, response) => response.send('admin'))
      return (await fetch(await listening(app.listen(0, '127.0.0.1')), { headers: { cookie } })).status
    },
  ],
]) {
  test(`a session of one manager does not open the routes of another in ${name}`, async () => {
    const service = await engines[0].makeService()
    const users = new SessionManager(service, { cookie: { name: 'user', secure: false } })
    const admins = new SessionManager(service, { cookie: { name: 'admin', secure: false }, prefix: 'admin:' })
    const session = await users.fromRequest({ headers: {} })
    await session.signIn('ada')
    const cookie = session.setCookie.split(';')[0]
    assert.equal(
      await run(middleware({ sessions: users }), middleware({ sessions: users, required: true }), cookie),
      200,
    )
    assert.equal(
      await run(middleware({ sessions: users }), middleware({ sessions: admins, required: true }), cookie),
      401,
    )
    await service.disconnect()
  })
}

test('HTTP/2 works too', async () => {
  const service = await engines[0].makeService()
  const guard = forExpress({ sessions: new SessionManager(service, { cookie: { secure: false } }) })
  const server = createServer2((request, response) =>
    guard(request, response, async () => {
      if (request.method === 'POST') await request.session.signIn('ada')
      response.end(request.session.userId ?? 'anonymous')
    }),
  )
  server.listen(0, '127.0.0.1')
  const url = await listening(server)
  const client = connect(url)
  const send = (headers) =>
    new Promise((resolve, reject) => {
      const stream = client.request({ ':path': '/', ...headers })
      let [found, body] = [undefined, '']
      stream.on('response', (headers) => (found = headers)).on('error', reject)
      stream.setEncoding('utf8').on('data', (text) => (body += text))
      stream.on('end', () => resolve([found, body]))
    })
  const [headers, body] = await send({ ':method': 'POST', origin: url })
  assert.deepEqual([headers[':status'], body], [200, 'ada'])
  const [cookie] = headers['set-cookie'][0].split(';')
  assert.equal((await send({ ':method': 'GET', cookie }))[1], 'ada')
  assert.equal((await send({ ':method': 'POST', cookie, origin: 'https://evil.example' }))[0][':status'], 403)
  client.close()
  await service.disconnect()
})

test('a response of Node.js gets the cookie however its headers are written', async () => {
  const service = await engines[0].makeService()
  const guard = forExpress({ sessions: new SessionManager(service, { cookie: { secure: false } }) })
  const ways = {
    '/three': (response) => response.writeHead(200, { 'x-a': 'b' }, undefined).end(),
    '/list': (response) => response.writeHead(200, ['x-a', 'b', 'set-cookie', 'c=1', 'set-cookie', 'd=2']).end(),
    '/invalid': (response) => {
      assert.throws(() => response.writeHead(99999), RangeError)
      for (const name of response.getHeaderNames()) response.removeHeader(name)
      response.writeHead(200, { 'x-a': 'b' }).end()
    },
    '/flush': (response) => {
      response.setHeader('x-a', 'b')
      response.flushHeaders()
      response.end()
    },
  }
  const server = createServer((request, response) =>
    guard(request, response, async () => {
      await request.session.signIn('ada')
      ways[request.url](response)
    }),
  )
  server.listen(0, '127.0.0.1')
  const url = await listening(server)
  for (const way of Object.keys(ways)) {
    const response = await fetch(url + way)
    assert.equal(response.headers.get('x-a'), 'b', way)
    assert.equal(response.headers.getSetCookie().filter((each) => each.startsWith('session=cst_')).length, 1, way)
    assert.equal(response.headers.getSetCookie().length, way === '/list' ? 3 : 1, way)
  }
  await service.disconnect()
})

test('what the program got wrong is an error at once', async () => {
  for (const wrong of [{ requird: true }, { required: 1 }, { sessions: {} }]) {
    await assert.rejects(async () => Fastify().register(forFastify, wrong), { code: 'E_INVALID_ARGUMENT' })
  }
  await Fastify().register(forFastify, { prefix: '/api', logLevel: 'warn' })
  for (const make of [forHono, forExpress]) {
    for (const wrong of [{ sessions: {} }, { sessions: null }, { required: 'yes' }, { require: true }, 'x']) {
      assert.throws(() => make(wrong), { code: 'E_INVALID_ARGUMENT' })
    }
  }
})
