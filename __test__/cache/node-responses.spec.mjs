// What Express and plain Node.js send through the cache: streams, compression, headers of others, errors and clients that leave.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, get, request as send } from 'node:http'
import { connect, createServer as createServer2 } from 'node:http2'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { gunzipSync, gzipSync } from 'node:zlib'

import { RateLimiter } from 'cinnabar'
import { cache, rateLimit, session } from 'cinnabar/express'
import compression from 'compression'
import express from 'express'

import { deferred, until } from '../helpers.mjs'
import { engines, temporaryFolder } from '../support/engines.mjs'

const [memory] = engines
const MISS = 'cinnabar; fwd=uri-miss'
const HIT = 'cinnabar; hit'

const service = await memory.makeService()
after(() => service.disconnect())
let stores = 0
/** The options of a cache of its own. */
const own = (options) => ({ cache: service.cache, key: undefined, vary: [], ...options, tags: [`${stores++}`] })

const listening = async (server) => {
  if (!server.listening) await once(server, 'listening')
  after(() => {
    server.close()
    server.closeAllConnections?.()
  })
  return `http://127.0.0.1:${server.address().port}`
}

/** Starts an application of Express; returns its URL. */
function start(configure) {
  const app = express()
  configure(app)
  app.use((error, request, response, next) =>
    response
      .status(500)
      .type('text')
      .send(`failed: ${error.code ?? ''}`),
  )
  return listening(app.listen(0, '127.0.0.1'))
}

/** Starts a server with one handler behind the cache, which counts its calls; returns `{ url, count() }`. */
async function serveOne(handler, options = own()) {
  let calls = 0
  const middleware = cache(options)
  const server = createServer((request, response) =>
    middleware(request, response, (error) => {
      if (error) return response.writeHead(500).end()
      calls++
      return handler(request, response)
    }),
  )
  return { url: await listening(server.listen(0, '127.0.0.1')), count: () => calls }
}

/** A request as it is on the wire, with nothing decompressed. */
const raw = (url, headers = {}, options = {}) =>
  new Promise((resolve, reject) => {
    const read = async (response) => {
      const body = Buffer.concat(await response.toArray())
      return { status: response.statusCode, headers: response.headers, body }
    }
    get(url, { headers, agent: false, ...options }, (response) => read(response).then(resolve, reject)).on(
      'error',
      reject,
    )
  })

const statusOf = ({ headers }) => headers['cache-status'] ?? headers.get('cache-status')

describe('a response of Node.js', () => {
  test('is stored however it is written', async () => {
    const reused = Buffer.from('abc')
    const ways = {
      pieces: (response) => {
        response.write('61', 'hex')
        response.write(Buffer.from('b'))
        response.write('é', 'latin1')
        response.end('ZA==', 'base64')
      },
      reused: (response) => {
        response.write(reused, () => {
          reused.fill('x')
          response.end(() => {})
        })
      },
      callback: (response) => response.end('ab', () => {}),
      encoded: (response) => response.end('é', 'latin1', () => {}),
      view: (response) => response.end(new Uint8Array(new ArrayBuffer(8), 2, 3).fill(7)),
      piped: (response) => Readable.from(['a', 'b', 'c']).pipe(response),
      flushed: (response) => {
        response.flushHeaders()
        response.end('later')
      },
      headed: (response) => response.writeHead(200, 'Fine', ['x-list', '1', 'X-List', '2']).end('headed'),
      object: (response) => response.writeHead(203, { 'X-Own': 1, 'x-list': ['1', '2'] }).end(),
      none: (response) => response.writeHead(204).end(),
      twice: (response) => {
        response.end('once')
        response.end()
      },
    }
    const { url, count } = await serveOne((request, response) => ways[request.url.slice(1).split('?')[0]](response))
    for (const way of Object.keys(ways)) {
      const first = await raw(`${url}/${way}`)
      const second = await raw(`${url}/${way}`)
      assert.deepEqual([statusOf(first), statusOf(second)], [MISS, HIT], way)
      assert.deepEqual(second.body, first.body, way)
      assert.equal(second.status, first.status)
      for (const name of ['x-list', 'x-own']) assert.equal(second.headers[name], first.headers[name])
    }
    assert.equal(count(), Object.keys(ways).length)
    for (const way of ['callback', 'encoded', 'view']) {
      const { headers, body } = await raw(`${url}/${way}?new`)
      assert.deepEqual([headers['cache-status'], headers['content-length']], [MISS, String(body.length)], way)
    }
    assert.equal((await raw(`${url}/headed`)).headers['x-list'], '1, 2')
    assert.deepEqual((await raw(`${url}/pieces`)).body, Buffer.from('abéd', 'latin1'))
    assert.equal((await raw(`${url}/reused`)).body.toString(), 'abc')
  })

  test('passes through as it comes, at the pace of its client', async () => {
    const gate = deferred()
    const slow = await serveOne(async (request, response) => {
      response.write('first')
      await gate.promise
      response.end('second')
    })
    const response = await fetch(slow.url)
    const reader = response.body.getReader()
    assert.equal(Buffer.from((await reader.read()).value).toString(), 'first')
    gate.resolve()
    await until('it is stored', async () => statusOf(await raw(slow.url)) === HIT)
    assert.equal((await raw(slow.url)).body.toString(), 'firstsecond')

    let made = 0
    const large = await serveOne((request, response) => {
      const read = function () {
        made++
        this.push(made > 2000 ? null : Buffer.alloc(1 << 16))
      }
      new Readable({ read }).pipe(response)
    })
    const socket = send(large.url, { agent: false })
    socket.end()
    const [message] = await once(socket, 'response')
    message.pause()
    const before = made
    await until('the source waits', async () => {
      const seen = made
      for (let n = 0; n < 50; n++) await turn()
      return seen === made && made >= before
    })
    assert.ok(made < 1000, `${made} of 2000 chunks were read for a client that reads none`)
    let length = 0
    for await (const chunk of message) length += chunk.length
    assert.equal(length, 2000 << 16)
    assert.equal(statusOf(await raw(large.url)), MISS)
    assert.equal(large.count(), 2)
  })

  test('of unknown length is shared until it is too large, and then everybody has an own one', async () => {
    const gates = [deferred(), deferred(), deferred()]
    const { url, count } = await serveOne(async (request, response) => {
      const gate = gates[count() - 1]
      response.write('x'.repeat(100))
      await gate.promise
      response.write('x'.repeat(100))
      response.end()
    }, own({ maxBytes: 150 })) // prettier-ignore
    const asked = [raw(url)]
    await until('it was called', () => count() === 1)
    asked.push(raw(url), raw(url))
    for (let n = 0; n < 50; n++) await turn()
    assert.equal(count(), 1)
    gates[0].resolve()
    await until('the others were called', () => count() === 3)
    for (const gate of gates) gate.resolve()
    for (const { body } of await Promise.all(asked)) assert.equal(body.length, 200)
  })

  test('that is broken off is not stored', async () => {
    for (const fail of [
      (response) => response.destroy(),
      (response) => {
        response.write('part')
        setImmediate(() => response.destroy())
      },
      (response) => {
        response.setHeader('Content-Length', 10)
        response.write('part')
        response.end()
      },
    ]) {
      const { url, count } = await serveOne((request, response) =>
        count() === 1 ? fail(response) : response.end('whole'),
      )
      await raw(url).catch(() => {})
      const second = await raw(url)
      assert.deepEqual([statusOf(second), second.body.toString()], [MISS, 'whole'])
    }
  })

  test('to a client that leaves in the middle of it lets another one lead at once', async () => {
    const gate = deferred()
    const { url, count } = await serveOne(async (request, response) => {
      if (count() > 1) return response.end('whole')
      response.write('part')
      await gate.promise
      response.end()
    })
    const leaving = send(url, { agent: false }).on('error', () => {})
    leaving.end()
    await once(leaving, 'response')
    const staying = raw(url)
    for (let n = 0; n < 50; n++) await turn()
    leaving.destroy()
    assert.equal((await staying).body.toString(), 'whole')
    assert.equal(count(), 2)
    gate.resolve()
    await until('it is stored', async () => statusOf(await raw(url)) === HIT)
  })

  test('over HTTP/2 is stored, too', async () => {
    const middleware = cache(own())
    let calls = 0
    const server = createServer2((request, response) =>
      middleware(request, response, () => {
        calls++
        response.setHeader('x-own', '1')
        response.write('a')
        response.end('b')
      }),
    )
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const client = connect(`http://127.0.0.1:${server.address().port}`)
    const ask = async (headers) => {
      const stream = client.request({ ':path': '/', ...headers })
      const [received] = await once(stream, 'response')
      return [received[':status'], received['cache-status'], received['x-own'], Buffer.concat(await stream.toArray()).toString(), received.etag]
    } // prettier-ignore
    assert.deepEqual((await ask()).slice(0, 4), [200, MISS, '1', 'ab'])
    const [status, cacheStatus, , body, etag] = await ask()
    assert.deepEqual([status, cacheStatus, body], [200, HIT, 'ab'])
    assert.deepEqual((await ask({ 'if-none-match': etag })).slice(0, 4), [304, HIT, '1', ''])
    assert.equal(calls, 1)
    client.close()
    server.close()
  })
})

describe('Express', () => {
  test('sends JSON, files, redirections and statuses from the cache', async () => {
    const file = join(temporaryFolder('files'), 'file.txt')
    writeFileSync(file, 'of a file')
    let calls = 0
    const url = await start((app) => {
      // A redirection of Express is HTML for those who accept it.
      app.use(cache({ ...own(), vary: ['accept'] }))
      app.use((request, response, next) => {
        calls++
        next()
      })
      app.get('/json', (request, response) => response.json({ a: 'ä' }))
      app.get('/file', (request, response) => response.sendFile(file, { maxAge: 60_000 }))
      app.get('/moved', (request, response) => response.redirect(301, '/json'))
      app.get('/nothing', (request, response) => response.sendStatus(204))
    })
    for (const path of ['json', 'file', 'moved', 'nothing']) {
      const [first, second] = [await raw(`${url}/${path}`), await raw(`${url}/${path}`)]
      assert.deepEqual([statusOf(first), statusOf(second)], [MISS, HIT])
      assert.deepEqual([second.status, second.body], [first.status, first.body])
      for (const name of ['content-type', 'etag', 'last-modified', 'location', 'content-length'])
        assert.equal(second.headers[name], first.headers[name], `${name} of ${path}`)
      const { etag } = first.headers
      if (first.status === 200) assert.equal((await raw(`${url}/${path}`, { 'if-none-match': etag })).status, 304)
    }
    assert.equal(calls, 4)
    assert.equal((await raw(`${url}/json`)).body.toString(), '{"a":"ä"}')
  })

  test('a response that is not stored has the 304 of Express', async () => {
    const url = await start((app) => {
      app.use(cache({ ...own(), key: () => 'private 304' }))
      app.use((request, response) => response.set('cache-control', 'private').send('own'))
    })
    const { headers } = await raw(url)
    const again = await raw(url, { 'if-none-match': headers.etag })
    assert.deepEqual([again.status, again.body.length, again.headers['content-type']], [304, 0, undefined])
    assert.equal(statusOf(again), `${MISS}; detail=cache-control`)
  })

  test('compresses what is stored plain with compression in front, and stores by encoding with it behind', async () => {
    const text = 'text '.repeat(1000)
    let calls = 0
    const handler = (request, response) => {
      calls++
      response.type('text').send(text)
    }
    const front = await start((app) => {
      app.use(compression(), cache(own()))
      app.use(handler)
    })
    const gzip = { 'accept-encoding': 'gzip' }
    for (const [headers, status] of [
      [gzip, MISS],
      [gzip, HIT],
      [{}, HIT],
    ]) {
      const response = await raw(front, headers)
      assert.equal(statusOf(response), status)
      assert.equal(response.headers['content-encoding'], headers === gzip ? 'gzip' : undefined)
      const body = headers === gzip ? gunzipSync(response.body) : response.body
      assert.equal(body.toString(), text)
      assert.match(response.headers.vary, /accept-encoding/i)
    }
    assert.equal(calls, 1)
    const behind = await start((app) => {
      app.use(cache(own()), compression())
      app.use(handler)
    })
    for (let n = 0; n < 2; n++) assert.equal(statusOf(await raw(behind, gzip)), `${MISS}; detail=vary`)
    const varied = await start((app) => {
      app.use(cache({ ...own(), vary: ['accept-encoding'] }), compression())
      app.use(handler)
    })
    for (const headers of [gzip, {}]) {
      for (const status of [MISS, HIT]) {
        const response = await raw(varied, headers)
        assert.equal(statusOf(response), status)
        const body = headers === gzip ? gunzipSync(response.body) : response.body
        assert.equal(body.toString(), text)
      }
    }
  })

  test('what is in front of the cache sets its headers for each request', async () => {
    let requests = 0
    const limiter = new RateLimiter(service, { policies: { all: { algorithm: 'fixed-window', limit: 10, per: 60 } } })
    const url = await start((app) => {
      app.use(rateLimit({ limiter, policy: 'all' }))
      app.use((request, response, next) => {
        response.set({
          'x-request-id': `${++requests}`,
          'x-kept': 'outer',
          vary: requests === 4 ? 'Origin, X-Debug' : 'Origin',
        })
        next()
      })
      app.use(cache({ ...own(), vary: ['origin'] }))
      app.use((request, response) => response.set('x-kept', 'changed').vary('Origin').send('body'))
    })
    for (const [n, status] of [MISS, HIT, HIT].entries()) {
      const { headers } = await raw(url, { origin: 'https://a.example' })
      assert.deepEqual([headers['cache-status'], headers['x-request-id']], [status, `${n + 1}`])
      assert.deepEqual([headers['x-kept'], headers.vary], ['changed', 'Origin'])
      assert.equal(headers['x-ratelimit-remaining'], `${9 - n}`)
    }
    const last = await raw(url, { origin: 'https://a.example' })
    assert.deepEqual([statusOf(last), last.headers.vary], [HIT, 'Origin, X-Debug'])
    const cookies = await start((app) => {
      app.use((request, response, next) => next(response.cookie('visit', '1') && undefined))
      app.use(cache(own()))
      app.use((request, response) => response.send('body'))
    })
    for (let n = 0; n < 2; n++) assert.equal(statusOf(await raw(cookies)), `${MISS}; detail=set-cookie`)
  })

  test('a redirection that depends on a proxy is stored for requests like it', async () => {
    const url = await start((app) => {
      app.set('trust proxy', true)
      app.use(cache({ ...own(), vary: ['accept'] }))
      app.use((request, response) =>
        request.secure ? response.send('safe') : response.redirect(301, `https://${request.hostname}/`),
      )
    })
    const through = (headers) => raw(url, headers)
    assert.equal((await through({})).status, 301)
    assert.equal((await through({ 'x-forwarded-proto': 'https' })).body.toString(), 'safe')
    const evil = await through({ 'x-forwarded-host': 'evil.example' })
    assert.deepEqual([statusOf(evil), evil.headers.location], [MISS, 'https://evil.example/'])
    const plain = await through({})
    assert.deepEqual([statusOf(plain), plain.headers.location], [HIT, 'https://127.0.0.1/'])
  })

  test('a response with which a session starts is not stored, wherever its middleware stands', async () => {
    const { sessions } = service
    for (const order of [
      [session({ sessions }), cache(own())],
      [cache(own()), session({ sessions })],
    ]) {
      let users = 0
      const url = await start((app) => {
        app.use(...order)
        app.use(async (request, response) => {
          await request.session.signIn(`user${++users}`)
          if (request.path === '/pieces') response.write('')
          response.end(`hello ${request.session.userId}`)
        })
      })
      for (const [n, path] of ['/', '/', '/pieces', '/pieces'].entries()) {
        const response = await raw(url + path)
        assert.equal(response.body.toString(), `hello user${n + 1}`)
        assert.ok(response.headers['set-cookie'])
      }
    }
  })

  test('routers below a path have keys of their own', async () => {
    const url = await start((app) => {
      for (const path of ['/a', '/b']) {
        const router = express.Router()
        router.get('/', cache(own()), (request, response) => response.send(path))
        app.use(path, router)
      }
    })
    for (const path of ['/a', '/b', '/a']) assert.equal((await raw(url + path)).body.toString(), path)
    assert.equal(statusOf(await raw(`${url}/b`)), HIT)
  })

  test('a handler that responds wrongly gets its error, and what is sent then is not stored', async () => {
    const wrong = {
      status: (response) => response.writeHead(1000),
      chunk: (response) => response.end(5),
      header: (response) => response.writeHead(200, { 'x y': '1' }),
      later: (response) => {
        response.write('part')
        throw new Error('no')
      },
    }
    const url = await start((app) => {
      app.use(cache(own()))
      app.use((request, response) => wrong[request.path.slice(1)](response))
    })
    for (const [path, code] of [
      ['status', 'ERR_HTTP_INVALID_STATUS_CODE'],
      ['chunk', 'ERR_INVALID_ARG_TYPE'],
      ['header', 'ERR_INVALID_HTTP_TOKEN'],
    ]) {
      for (let n = 0; n < 2; n++) {
        const response = await raw(`${url}/${path}`)
        assert.deepEqual([response.status, response.body.toString()], [500, `failed: ${code}`])
        assert.equal(statusOf(response), `${MISS}; detail=status`)
      }
    }
    for (let n = 0; n < 2; n++) await raw(`${url}/later`).then(({ headers }) => assert.equal(headers['cache-status'], MISS), () => {}) // prettier-ignore
  })

  test('a request that something else has responded to meanwhile is left alone', async () => {
    const gate = deferred()
    let calls = 0
    const timedOut = deferred()
    const url = await start((app) => {
      app.use((request, response, next) => {
        next()
        if (request.headers['x-impatient']) setImmediate(() => response.status(503).send('timeout'))
      })
      app.use(cache(own()))
      app.use(async (request, response) => {
        calls++
        await gate.promise
        response.send('body')
        timedOut.resolve()
      })
    })
    const first = raw(url)
    await until('it was called', () => calls === 1)
    assert.equal((await raw(url, { 'x-impatient': '1' })).status, 503)
    gate.resolve()
    assert.equal((await first).body.toString(), 'body')
    await timedOut.promise
    assert.equal(calls, 1)
  })

  test('a compressed body of the handler is stored as it is', async () => {
    const zipped = gzipSync('text')
    const url = await start((app) => {
      app.use(cache(own()))
      app.use((request, response) => response.type('text').set('content-encoding', 'gzip').send(zipped))
    })
    for (const status of [MISS, HIT]) {
      const response = await raw(url)
      assert.deepEqual([statusOf(response), response.body], [status, zipped])
      assert.equal(response.headers['content-encoding'], 'gzip')
    }
  })
})
