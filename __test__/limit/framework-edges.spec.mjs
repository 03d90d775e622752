// Limits in frameworks when something unusual happens: clients that leave, responses that are sent late, stores that cannot count.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { after, describe, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'

import { RateLimiter, RedisService, withRateLimit } from 'cinnabar'
import { rateLimit as forExpress, session } from 'cinnabar/express'
import { rateLimit as forFastify, session as sessionOfFastify } from 'cinnabar/fastify'
import { rateLimit as forHono } from 'cinnabar/hono'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'

import { until } from '../helpers.mjs'
import { freePort, startRedis } from '../support/engines.mjs'

const service = new RedisService({ url: 'memory:' })
after(() => service.disconnect())
const policies = {
  none: { limit: 0, per: 60 },
  login: { algorithm: 'fixed-window', limit: 9, per: 60 },
}
const limiter = new RateLimiter(service, { policies })
const remaining = async (identifier) => (await limiter.peek('login', identifier)).remaining

async function serveExpress(...handlers) {
  const app = express()
  for (const handler of handlers) app.use(handler)
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  after(() => (server.closeAllConnections(), server.close()))
  return `http://127.0.0.1:${server.address().port}`
}

async function serveFastify(prepare) {
  const app = Fastify()
  await prepare(app)
  after(() => app.close())
  return app.listen({ port: 0, host: '127.0.0.1' })
}

/** Sends a request over a connection of its own, and returns that. */
function send(url, headers = '') {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  socket.write(`GET / HTTP/1.1\r\nHost: h\r\n${headers}\r\n`)
  return socket
}

const bodyIn = (response) => Promise.all([response.status, response.text()])

test('onRefused may return a response of another realm or library', async () => {
  const foreign = { status: 420, statusText: '', headers: new Headers({ 'x-why': 'limit' }), body: null }
  const handler = withRateLimit(() => new Response('handler'), { limiter, policy: 'none', onRefused: () => foreign })
  const { status, headers } = await handler(new Request('http://localhost/'), { remoteAddr: { hostname: '192.0.2.1' } })
  assert.deepEqual([status, headers.get('x-why')], [420, 'limit'])
  assert.ok(headers.has('retry-after') || headers.has('x-ratelimit-limit'))
})

describe('onRefused of Fastify', () => {
  for (const [name, onRefused] of Object.entries({
    'returns the reply': (request, result, reply) => reply.header('x-why', 'limit').code(420),
    'returns the reply later': async (request, result, reply) => reply.header('x-why', 'limit'),
    'waits for the reply': async (request, result, reply) => {
      await reply.header('x-why', 'limit')
    },
  })) {
    test(`${name} without sending it`, async () => {
      const url = await serveFastify(async (app) => {
        await app.register(forFastify, { limiter, policy: 'none', onRefused })
        app.get('/', () => 'handler')
      })
      const response = await fetch(url, { signal: AbortSignal.timeout(10_000) })
      assert.deepEqual([response.status, response.headers.get('x-why')], [429, 'limit'])
      assert.equal((await response.json()).status, 429)
    })
  }

  for (const [name, onRefused] of Object.entries({
    sends: (request, result, reply) => void reply.code(420).send('slow down'),
    'sends later': async (request, result, reply) => {
      await setImmediate()
      return reply.code(420).send('slow down')
    },
  })) {
    test(`${name}, while a hook takes its time`, async () => {
      const [errors, sent] = [[], []]
      const url = await serveFastify(async (app) => {
        await app.register(forFastify, { limiter, policy: 'none', onRefused })
        app.addHook('onSend', async (request, reply, payload) => {
          sent.push(payload)
          await setImmediate()
          return payload
        })
        app.addHook('onError', async (request, reply, error) => errors.push(error))
        app.get('/', () => 'handler')
      })
      assert.deepEqual(await bodyIn(await fetch(url)), [420, 'slow down'])
      assert.deepEqual([sent, errors], [['slow down'], []])
    })
  }

  test('may respond as for a route that does not exist', async () => {
    const onRefused = (request, result, reply) => reply.callNotFound()
    const url = await serveFastify(async (app) => {
      await app.register(forFastify, { limiter, policy: 'none', onRefused })
      app.get('/', () => 'handler')
    })
    assert.equal((await fetch(url)).status, 404)
  })
})

test('nothing that a function of the application is rejected with lets a request pass uncounted', async () => {
  const sessions = service.sessions
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  for (const reason of [undefined, null, false, 0, '', 'route', 'router', { status: 400 }, new Error('no'), proxy]) {
    const reject = () => Promise.reject(reason)
    for (const options of [
      { policy: 'none', onRefused: reject },
      { policy: 'login', identify: reject },
    ]) {
      const expressUrl = await serveExpress(forExpress({ limiter, ...options }), (request, response) =>
        response.end('in'),
      )
      const fastifyUrl = await serveFastify(async (app) => {
        await app.register(forFastify, { limiter, ...options })
        app.get('/', () => 'in')
      })
      for (const url of [expressUrl, fastifyUrl]) {
        const [status, body] = await bodyIn(await fetch(url))
        assert.ok(status >= 400 && status !== 404, `${status} for ${typeof reason}`)
        assert.notEqual(body, 'in')
      }
    }
    const failing = Object.create(sessions, { fromRequest: { value: reject } })
    const expressUrl = await serveExpress(session({ sessions: failing }), (request, response) => response.end('in'))
    const fastifyUrl = await serveFastify(async (app) => {
      await app.register(sessionOfFastify, { sessions: failing })
      app.get('/', () => 'in')
    })
    for (const url of [expressUrl, fastifyUrl]) assert.ok((await fetch(url)).status >= 400)
  }
})

test('a refused client that leaves before a hook of Fastify has sent the response does not get to the handler', async () => {
  const guards = {
    limit: (app) => app.register(forFastify, { limiter, policy: 'none' }),
    session: (app) => app.register(sessionOfFastify, { sessions: service.sessions, required: true }),
  }
  for (const [name, guard] of Object.entries(guards)) {
    const seen = []
    let sending, hasLeft
    const isSending = new Promise((resolve) => (sending = resolve))
    const url = await serveFastify(async (app) => {
      await guard(app)
      app.addHook('onSend', async (request, reply, payload) => {
        sending()
        await hasLeft
        return payload
      })
      app.get('/', (request) => {
        seen.push(request.url)
        return 'handler'
      })
      app.addHook('onRequest', async (request) => seen.push(request.url))
      hasLeft = new Promise((resolve) => app.server.once('connection', (socket) => socket.once('close', resolve)))
    })
    const socket = send(url)
    await isSending
    socket.destroy()
    await hasLeft
    // Another client is refused after it: by then the first would have got there.
    assert.ok((await fetch(url)).status >= 400)
    assert.deepEqual(seen, [], name)
  }
})

describe('clients that close the connection', () => {
  const FRAMEWORKS = {
    express: (limit) => serveExpress(forExpress(limit), (request, response) => response.send('ok')),
    fastify: (limit) =>
      serveFastify(async (app) => {
        await app.register(forFastify, limit)
        app.get('/', () => 'ok')
      }),
  }
  for (const [name, start] of Object.entries(FRAMEWORKS)) {
    test(`are counted by their own address in ${name}`, async () => {
      await limiter.reset('login', '127.0.0.1')
      let entered
      const isIn = new Promise((resolve) => (entered = resolve))
      const skip = async (request) => {
        entered()
        const { socket } = request.raw ?? request
        if (!socket.destroyed) await once(socket, 'close')
        return false
      }
      const socket = send(await start({ limiter, policy: 'login', skip }))
      await isIn
      socket.destroy()
      await until('it is counted', async () => (await remaining('127.0.0.1')) === 8)
      assert.equal(await remaining('unknown'), 9)
    })
  }

  const streamed = (response) => {
    response.writeHead(200)
    response.write('first')
  }
  const STREAMS = {
    express: (limit) => serveExpress(forExpress(limit), (request, response) => streamed(response)),
    fastify: (limit) =>
      serveFastify(async (app) => {
        await app.register(forFastify, limit)
        app.get('/', (request, reply) => {
          reply.hijack()
          streamed(reply.raw)
        })
      }),
  }
  for (const [name, start] of Object.entries(STREAMS)) {
    test(`have not failed if they close a stream of ${name} that succeeds`, async () => {
      const identify = () => `${name} stream`
      const url = await start({ limiter, policy: 'login', count: 'failures', identify })
      const socket = send(url)
      const [data] = await once(socket, 'data')
      assert.match(String(data), /^HTTP\/1.1 200/)
      assert.equal(await remaining(`${name} stream`), 8, 'until it ends')
      socket.destroy()
      await until('it does not count', async () => (await remaining(`${name} stream`)) === 9)
    })
  }

  test('have failed if nothing was sent yet', async () => {
    let entered
    const isIn = new Promise((resolve) => (entered = resolve))
    const identify = () => 'leaves early'
    const limit = forExpress({ limiter, policy: 'login', count: 'failures', identify })
    const url = await serveExpress(limit, (request, response) => {
      response.once('close', () => entered())
      entered.socket.destroy()
    })
    entered.socket = send(url)
    await isIn
    assert.equal(await remaining('leaves early'), 8)
  })
})

describe('a store that cannot count', () => {
  const APPS = {
    express: (limit) => serveExpress(forExpress(limit), (request, response) => response.send('ok')),
    fastify: (limit) =>
      serveFastify(async (app) => {
        await app.register(forFastify, limit)
        app.get('/', () => 'ok')
      }),
    async hono(limit) {
      const app = new Hono()
      app.use(forHono(limit))
      app.get('/', (c) => c.text('ok'))
      return app
    },
  }
  const ask = async (app) => (typeof app === 'string' ? fetch(app) : app.request('/'))

  test("has no memory left: 503 with onUnavailable 'throw'", async () => {
    const server = await startRedis()
    const full = new RedisService({ url: server.url })
    after(async () => {
      await full.disconnect()
      await server.kill()
    })
    const limiter = new RateLimiter(full, { policies, onUnavailable: 'throw' })
    await limiter.check('login', 'before')
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    for (const [name, start] of Object.entries(APPS)) {
      const response = await ask(await start({ limiter, policy: 'login', identify: () => name }))
      assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1'], name)
    }
  })

  test("refuses nothing of its own with onUnavailable 'deny': 503, and a second later again", async () => {
    const gone = new RedisService({ url: `redis://127.0.0.1:${await freePort()}`, connectWaitMs: 50, log: false })
    after(() => gone.disconnect())
    const quotas = { login: { limit: 9, per: 'month' } }
    const named = { limiter: new RateLimiter(gone, { policies: quotas, onUnavailable: 'deny' }), policy: 'login' }
    const plain = { limiter: new RateLimiter(gone, { prefix: 'plain:', onUnavailable: 'deny' }), policy: 'API' }
    for (const limit of [named, plain]) {
      for (const [name, start] of Object.entries(APPS)) {
        const onRefused = () => assert.fail('no limit was exceeded')
        const response = await ask(await start({ ...limit, onRefused, identify: () => name }))
        assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1'], name)
        assert.equal((await response.json()).status, 503)
      }
    }
  })
})

test('a response of Hono that cannot be changed stays as it is, and has not failed', async () => {
  for (const [name, make] of Object.entries({
    'an error': () => Response.error(),
    'one that was read': async () => {
      const response = await fetch('data:text/plain,x')
      await response.text()
      return response
    },
  })) {
    const app = new Hono()
    app.use(forHono({ limiter, policy: 'login', count: 'failures', identify: () => `hono ${name}` }))
    app.get('/', make)
    const wanted = await make()
    const response = await app.request('/')
    assert.deepEqual([response.status, response.type], [wanted.status, wanted.type], name)
    assert.equal(await remaining(`hono ${name}`), 9, name)
  }
})
