// What Fastify and Hono send through the cache: streams, other plugins and middleware, errors, and replies that they do not see.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { get, request as send } from 'node:http'
import { connect } from 'node:http2'
import { Readable } from 'node:stream'
import { after, describe, test } from 'node:test'
import { gunzipSync } from 'node:zlib'

import compressPlugin from '@fastify/compress'
import { serve } from '@hono/node-server'
import { ApiCache, RateLimiter } from 'cinnabar'
import { cache as forFastify, rateLimit as limitForFastify, session as sessionForFastify } from 'cinnabar/fastify'
import { cache as forHono, session as sessionForHono } from 'cinnabar/hono'
import Fastify from 'fastify'
import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { etag } from 'hono/etag'
import { streamSSE } from 'hono/streaming'

import { deferred, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const [memory] = engines
const MISS = 'cinnabar; fwd=uri-miss'
const HIT = 'cinnabar; hit'

const service = await memory.makeService()
after(() => service.disconnect())
let stores = 0
/** The options of a cache whose keys no other test has. */
function own(options) {
  const name = `${stores++}:`
  const key = (subject) => name + (subject.url ?? subject.req.path)
  return { cache: service.cache, key, ...options }
}

/** A request as it is on the wire, with nothing decompressed. */
const raw = (url, headers = {}, options = {}) =>
  new Promise((resolve, reject) => {
    const read = async (response) => {
      const body = Buffer.concat(await response.toArray())
      return { status: response.statusCode, headers: response.headers, body, text: body.toString() }
    }
    get(url, { headers, agent: false, ...options }, (response) => read(response).then(resolve, reject)).on(
      'error',
      reject,
    )
  })

const statusOf = ({ headers }) => headers['cache-status']

describe('Fastify', () => {
  /** Starts an application; returns its URL. */
  async function start(configure, options) {
    const app = Fastify(options)
    await configure(app)
    after(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  }

  test('stores JSON, streams and responses of fetch', async () => {
    let calls = 0
    const ways = {
      json: () => ({ a: 'ä' }),
      text: () => 'text',
      bytes: () => Buffer.from([1, 2, 200]),
      nothing: () => null,
      stream: (reply) => reply.send(Readable.from(['a', Buffer.from('b')])),
      web: (reply) => reply.type('text/plain').send(new Response('web').body),
      fetch: () => new Response('of fetch', { status: 203, headers: { 'x-own': '1' } }),
      typeless: (reply) => reply.send(Readable.from(['x'])),
    }
    const url = await start(async (app) => {
      await app.register(forFastify, own())
      app.get('/:way', async (request, reply) => {
        calls++
        return ways[request.params.way](reply)
      })
    })
    for (const way of Object.keys(ways)) {
      const [first, second] = [await raw(`${url}/${way}`), await raw(`${url}/${way}`)]
      assert.deepEqual([statusOf(first), statusOf(second)], [MISS, HIT], way)
      assert.deepEqual([second.status, second.text], [first.status, first.text])
      for (const name of ['content-type', 'x-own']) assert.equal(second.headers[name], first.headers[name], way)
      const head = await raw(`${url}/${way}`, {}, { method: 'HEAD' })
      assert.deepEqual([head.status, head.text, statusOf(head)], [first.status, '', HIT])
    }
    assert.equal(calls, Object.keys(ways).length)
    const { headers } = await raw(`${url}/json`)
    assert.equal((await raw(`${url}/json`, { 'if-none-match': headers.etag })).status, 304)
  })

  test('a stream comes as it is made, and is not stored if it fails, is too large or is not all there', async () => {
    const gate = deferred()
    let calls = 0
    const sources = {
      slow: async function* () {
        yield 'first'
        await gate.promise
        yield 'second'
      },
      failing: async function* () {
        yield 'part'
        if (calls === 1) throw new Error('no')
        yield 'whole'
      },
      large: async function* () {
        for (let n = 0; n < 30; n++) yield 'x'.repeat(10)
      },
    }
    const url = await start(async (app) => {
      await app.register(forFastify, own({ maxBytes: 200 }))
      app.get('/:way', (request, reply) => {
        calls++
        return reply.send(Readable.from(sources[request.params.way]()))
      })
      app.get('/web/:size', (request, reply) => {
        const pull = (controller) => {
          controller.enqueue(new Uint8Array(Number(request.params.size)))
          controller.close()
        }
        return reply.send(new ReadableStream({ pull }))
      })
    })
    const response = await fetch(`${url}/slow`)
    const reader = response.body.getReader()
    assert.equal(Buffer.from((await reader.read()).value).toString(), 'first')
    gate.resolve()
    await until('it is stored', async () => statusOf(await raw(`${url}/slow`)) === HIT)
    calls = 0
    await raw(`${url}/failing`).catch(() => {})
    assert.equal((await raw(`${url}/failing`)).text, 'partwhole')
    assert.equal((await raw(`${url}/failing`)).headers['cache-status'], HIT)
    for (const path of ['large', 'web/201']) {
      for (let n = 0; n < 2; n++) assert.equal(statusOf(await raw(`${url}/${path}`)), MISS)
    }
    assert.equal((await raw(`${url}/large`)).body.length, 300)
    await raw(`${url}/web/200`)
    assert.equal(statusOf(await raw(`${url}/web/200`)), HIT)
  })

  test('a client that leaves in the middle of a stream lets another one lead', async () => {
    let [calls, isDestroyed] = [0, false]
    const url = await start(async (app) => {
      await app.register(forFastify, own())
      app.get('/', (request, reply) => {
        if (++calls > 1) return reply.send('whole')
        const source = new Readable({ read() {} })
        source.push('part')
        source.on('close', () => (isDestroyed = true))
        return reply.send(source)
      })
    })
    const leaving = send(url, { agent: false }).on('error', () => {})
    leaving.end()
    await once(leaving, 'response')
    const staying = raw(url)
    await raw(`${url}/none`)
    leaving.destroy()
    assert.equal((await staying).text, 'whole')
    assert.equal(calls, 2)
    await until('the source is closed', () => isDestroyed)
  })

  test('no request waits for a hijacked reply', { timeout: 10_000 }, async () => {
    let calls = 0
    const cache = new ApiCache(service, { prefix: 'hijacked:', loadTimeoutMs: 600_000 })
    const url = await start(async (app) => {
      await app.register(forFastify, own({ cache }))
      app.get('/', (request, reply) => {
        calls++
        reply.hijack()
        reply.raw.writeHead(200, { 'content-type': 'text/event-stream' })
        reply.raw.write('data: 1\n\n')
      })
    })
    const clients = [0, 1, 2].map(() => send(url, { agent: false }).on('error', () => {}))
    for (const client of clients) client.end()
    await Promise.all(clients.map((client) => once(client, 'response')))
    assert.equal(calls, 3)
    for (const client of clients) client.destroy()
  })

  test('hooks in front of the handler decide first, and those of the route itself only if it is called', async () => {
    const called = []
    const limiter = new RateLimiter(service, { policies: { all: { algorithm: 'fixed-window', limit: 10, per: 60 } } })
    const url = await start(async (app) => {
      await app.register(limitForFastify, { limiter, policy: 'all', identify: () => 'fastify cache' })
      app.addHook('onRequest', async (request, reply) => {
        if (request.headers['x-key'] === undefined) return reply.code(401).send('who?')
      })
      await app.register(forFastify, own())
      const preHandler = async () => void called.push('route')
      app.get('/', { preHandler }, async () => {
        called.push('handler')
        return 'body'
      })
    })
    assert.equal((await raw(url)).status, 401)
    for (const [status, remaining] of [
      [MISS, '8'],
      [HIT, '7'],
    ]) {
      const response = await raw(url, { 'x-key': '1' })
      assert.deepEqual([statusOf(response), response.headers['x-ratelimit-remaining']], [status, remaining])
    }
    assert.equal((await raw(url)).status, 401)
    assert.deepEqual(called, ['route', 'handler'])
  })

  test('it caches in the scope that registers it', async () => {
    const url = await start(async (app) => {
      app.get('/plain', async () => 'plain')
      await app.register(
        async (scope) => {
          await scope.register(forFastify, own())
          scope.get('/', async () => 'cached')
        },
        { prefix: '/cached' },
      )
    })
    await raw(`${url}/cached`)
    assert.equal(statusOf(await raw(`${url}/cached`)), HIT)
    assert.equal(statusOf(await raw(`${url}/plain`)), undefined)
    assert.equal((await raw(`${url}/none`)).status, 404)
  })

  test('with compression before or after it, what is stored is plain', async () => {
    const text = 'text '.repeat(1000)
    const gzip = { 'accept-encoding': 'gzip' }
    for (const plugins of [
      [[forFastify, own()], [compressPlugin]],
      [[compressPlugin], [forFastify, own()]],
    ]) {
      let calls = 0
      const url = await start(async (app) => {
        for (const plugin of plugins) await app.register(...plugin)
        app.get('/', async (request, reply) => {
          calls++
          return reply.type('text/plain').send(text)
        })
      })
      for (const [headers, status] of [
        [gzip, MISS],
        [gzip, HIT],
        [{}, HIT],
      ]) {
        const response = await raw(url, headers)
        assert.equal(statusOf(response), status)
        assert.equal((headers === gzip ? gunzipSync(response.body) : response.body).toString(), text)
      }
      assert.equal(calls, 1)
    }
  })

  test('a response with which a session starts is not stored, in whatever order the plugins come', async () => {
    const { sessions } = service
    for (const plugins of [
      [
        [forFastify, own()],
        [sessionForFastify, { sessions }],
      ],
      [
        [sessionForFastify, { sessions }],
        [forFastify, own()],
      ],
    ]) {
      let users = 0
      const url = await start(async (app) => {
        for (const plugin of plugins) await app.register(...plugin)
        app.get('/:way', async (request, reply) => {
          await request.session.signIn(`user${++users}`)
          const text = `hello ${request.session.userId}`
          return request.params.way === 'stream' ? reply.send(Readable.from([text])) : text
        })
      })
      for (const [n, way] of ['text', 'text', 'stream', 'stream'].entries()) {
        const response = await raw(`${url}/${way}`)
        assert.equal(response.text, `hello user${n + 1}`)
        assert.ok(response.headers['set-cookie'])
      }
    }
  })

  test('a reply of which a later hook makes an error is not stored', async () => {
    let calls = 0
    const url = await start(async (app) => {
      await app.register(forFastify, own())
      app.addHook('onSend', async (request, reply, payload) => {
        if (calls === 1 && reply.statusCode === 200) throw new Error('no')
        return payload
      })
      app.get('/', async () => `${++calls}`)
    })
    assert.equal((await raw(url)).status, 500)
    const second = await raw(url)
    assert.deepEqual([second.status, second.text, statusOf(second)], [200, '2', MISS])
  })

  test('works over HTTP/2', async () => {
    const url = await start(
      async (app) => {
        await app.register(forFastify, own())
        app.get('/:way', async (request, reply) =>
          request.params.way === 'stream' ? reply.send(Readable.from(['a', 'b'])) : { a: 1 },
        )
      },
      { http2: true },
    )
    const client = connect(url)
    for (const [way, body] of [
      ['json', '{"a":1}'],
      ['stream', 'ab'],
    ]) {
      for (const status of [MISS, HIT]) {
        const stream = client.request({ ':path': `/${way}` })
        const [headers] = await once(stream, 'response')
        const received = Buffer.concat(await stream.toArray()).toString()
        assert.deepEqual([headers[':status'], headers['cache-status'], received], [200, status, body])
      }
    }
    client.close()
  })

  test('works through inject, without a connection', async () => {
    const app = Fastify()
    await app.register(forFastify, own())
    app.get('/', async () => ({ a: 1 }))
    for (const status of [MISS, HIT]) {
      const response = await app.inject('/')
      assert.deepEqual(
        [response.statusCode, response.headers['cache-status'], response.json()],
        [200, status, { a: 1 }],
      )
    }
    await app.close()
  })
})

describe('Hono', () => {
  /** Starts an application; returns its URL. */
  async function start(configure) {
    const app = new Hono()
    configure(app)
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
    if (!server.listening) await once(server, 'listening')
    after(() => {
      server.close()
      server.closeAllConnections()
    })
    return `http://127.0.0.1:${server.address().port}`
  }

  test('what is in front of the cache sets its headers for each request', async () => {
    let requests = 0
    const url = await start((app) => {
      app.use(async (c, next) => {
        c.header('x-before', `${++requests}`)
        c.header('x-kept', 'outer')
        await next()
        c.header('x-after', `${requests}`)
      })
      app.use(forHono(own()))
      app.get('/', (c) => c.json({ a: 1 }, 200, { 'x-kept': 'changed' }))
    })
    for (const [n, status] of [MISS, HIT, HIT].entries()) {
      const response = await raw(url)
      assert.deepEqual([statusOf(response), response.text], [status, '{"a":1}'])
      const { 'x-before': before, 'x-after': later, 'x-kept': kept } = response.headers
      assert.deepEqual([before, later, kept], [`${n + 1}`, `${n + 1}`, 'changed'])
    }
  })

  test('with etag and compress around it and inside', async () => {
    const text = 'text '.repeat(1000)
    let calls = 0
    const url = await start((app) => {
      app.use(compress())
      app.use(forHono(own()))
      app.use(etag())
      app.get('/', (c) => {
        calls++
        return c.text(text)
      })
    })
    const { etag: tag } = (await raw(url)).headers
    const gzip = await raw(url, { 'accept-encoding': 'gzip' })
    assert.deepEqual([statusOf(gzip), gunzipSync(gzip.body).toString()], [HIT, text])
    assert.equal((await raw(url, { 'if-none-match': tag })).status, 304)
    assert.equal(calls, 1)
    const first = await start((app) => {
      app.use(forHono(own()))
      app.use(etag())
      app.get('/', (c) => c.text(text))
    })
    const known = await raw(first, { 'if-none-match': tag })
    assert.deepEqual([known.status, statusOf(known), known.headers['content-length']], [304, MISS, undefined])
    const second = await raw(first)
    assert.deepEqual([statusOf(second), second.text], [HIT, text])
  })

  test('a response about an error is not stored, whatever its status', async () => {
    let calls = 0
    const url = await start((app) => {
      app.onError((error, c) => c.text(error.message))
      app.use(forHono(own()))
      app.get('/', () => {
        throw new Error(`${++calls}`)
      })
    })
    for (let n = 1; n <= 2; n++) {
      const response = await raw(url)
      assert.deepEqual([response.status, response.text, statusOf(response)], [200, `${n}`, `${MISS}; detail=error`])
    }
    assert.equal((await raw(`${url}/none`)).status, 404)
  })

  test('a response with which a session starts is not stored', async () => {
    let users = 0
    const url = await start((app) => {
      app.use(sessionForHono({ sessions: service.sessions }), forHono(own()))
      app.get('/', async (c) => {
        await c.get('session').signIn(`user${++users}`)
        return c.text(`hello ${c.get('session').userId}`)
      })
    })
    for (let n = 1; n <= 2; n++) {
      const response = await raw(url)
      assert.equal(response.text, `hello user${n}`)
      assert.ok(response.headers['set-cookie'])
      assert.equal(statusOf(response), `${MISS}; detail=set-cookie`)
    }
  })

  test('an event stream comes as it is made', async () => {
    const gate = deferred()
    const url = await start((app) => {
      app.use(forHono(own()))
      app.get('/', (c) =>
        streamSSE(c, async (stream) => {
          await stream.writeSSE({ data: '1' })
          await gate.promise
        }),
      )
    })
    const response = await fetch(url)
    const { value } = await response.body.getReader().read()
    assert.match(Buffer.from(value).toString(), /data: 1/)
    assert.equal(response.headers.get('cache-status'), `${MISS}; detail=cache-control`)
    gate.resolve()
  })

  test('works through app.request, without a server', async () => {
    const app = new Hono()
    app.get('/', forHono(own()), (c) => c.text('body'))
    for (const status of [MISS, HIT]) {
      const response = await app.request('/')
      assert.deepEqual([response.headers.get('cache-status'), await response.text()], [status, 'body'])
    }
  })
})
