// Responses of handlers behind the middleware of each framework, over HTTP: the same rules as those of withCache.
import assert from 'node:assert/strict'
import { createServer, request as send } from 'node:http'
import { after, describe, test } from 'node:test'

import { serve } from '@hono/node-server'
import { ApiCache } from 'cinnabar'
import { cache as forExpress } from 'cinnabar/express'
import { cache as forFastify } from 'cinnabar/fastify'
import { cache as forHono } from 'cinnabar/hono'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'

import { deferred, rawClient, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const listening = async (server) => {
  await new Promise((resolve) => (server.listening ? resolve() : server.once('listening', resolve)))
  after(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${server.address().port}`
}

/** Each starts an application with this handler, `({ path, headers }) => ({ status, headers, body })`, behind a cache; returns its URL. */
const APPS = {
  hono(options, handler) {
    const app = new Hono()
    app.use(forHono(options))
    app.all('*', async (c) => {
      const { status = 200, headers, body = '' } = await handler({ path: c.req.path, headers: c.req.header() })
      return c.newResponse(body, { status, headers })
    })
    app.onError((error, c) => c.text('failed', 500))
    return listening(serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }))
  },
  express(options, handler) {
    const app = express()
    app.use(forExpress(options))
    app.use(async (request, response) => {
      const { status = 200, headers, body = '' } = await handler(request)
      response
        .status(status)
        .set(headers ?? {})
        .send(typeof body === 'string' ? body : Buffer.from(body))
    })
    app.use((error, request, response, next) => response.status(500).send('failed'))
    return listening(app.listen(0, '127.0.0.1'))
  },
  async fastify(options, handler) {
    const app = Fastify()
    await app.register(forFastify, options)
    app.setErrorHandler((error, request, reply) => reply.code(500).send('failed'))
    app.all('/*', async (request, reply) => {
      const { status = 200, headers, body = '' } = await handler({ path: request.url, headers: request.headers })
      return reply
        .code(status)
        .headers(headers ?? {})
        .send(typeof body === 'string' ? body : Buffer.from(body))
    })
    after(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  'node:http'(options, handler) {
    const middleware = forExpress(options)
    const server = createServer((request, response) =>
      middleware(request, response, async (error) => {
        try {
          if (error) throw error
          const made = await handler({ path: request.url, headers: request.headers })
          response.writeHead(made.status ?? 200, made.headers).end(made.body)
        } catch {
          response.writeHead(500).end('failed')
        }
      }),
    )
    return listening(server.listen(0, '127.0.0.1'))
  },
}

const statusOf = ({ headers }) => headers.get('cache-status')

async function ask(url, init) {
  const response = await fetch(url, { redirect: 'manual', ...init })
  return [response.status, await response.text(), statusOf(response)]
}

for (const engine of engines) {
  for (const [name, start] of Object.entries(APPS)) {
    describe(`${name} on ${engine.name}`, () => {
      const withCacheOf = (run) => async () => {
        const service = await engine.makeService({ log: false })
        try {
          await run(service.cache, service)
        } finally {
          await service.disconnect()
        }
      }

      test(
        'the handler is called once, also for another process, until the tag is invalidated',
        withCacheOf(async (cache, service) => {
          let calls = 0
          const handler = () => ({
            headers: { 'x-own': 'yes', 'content-type': 'application/json' },
            body: `{"n":${++calls}}`,
          })
          const url = await start({ cache, ttl: 60, tags: ['items'] }, handler)
          const other = engine.beside(service, { poolSize: 2 })
          assert.deepEqual(await ask(`${url}/items?a=1`), [200, '{"n":1}', 'cinnabar; fwd=uri-miss'])
          const response = await fetch(`${url}/items?a=1`)
          assert.deepEqual(
            [response.status, await response.json(), statusOf(response)],
            [200, { n: 1 }, 'cinnabar; hit'],
          )
          assert.equal(response.headers.get('content-type').split(';')[0], 'application/json')
          assert.equal(response.headers.get('x-own'), 'yes')
          assert.match(response.headers.get('age'), /^\d+$/)
          assert.equal(response.headers.get('content-length'), '7')
          assert.equal((await ask(`${url}/items?a=2`))[1], '{"n":2}')
          assert.equal((await ask(`${url}/items?a=1`, { method: 'POST' }))[2], 'cinnabar; fwd=method')
          await other.cache.invalidateByTag('items')
          assert.equal((await ask(`${url}/items?a=1`))[1], '{"n":4}')
          await other.disconnect()
        }),
      )

      test(
        'every body comes as it was',
        withCacheOf(async (cache) => {
          const bytes = Uint8Array.from({ length: 256 }, (_, n) => n)
          const bodies = { empty: '', text: 'häß\u{feff}\0', binary: bytes, invalid: bytes.slice(128) }
          const headers = { 'content-type': 'application/octet-stream' }
          const url = await start({ cache }, ({ path }) => ({ headers, body: bodies[path.slice(1)] }))
          for (const [name, body] of Object.entries(bodies)) {
            for (const status of ['cinnabar; fwd=uri-miss', 'cinnabar; hit']) {
              const response = await fetch(`${url}/${name}`)
              assert.equal(statusOf(response), status)
              const received = new Uint8Array(await response.arrayBuffer())
              assert.deepEqual(received, new Uint8Array(Buffer.from(body)), name)
              assert.equal(response.headers.get('content-type').split(';')[0], 'application/octet-stream')
            }
          }
        }),
      )

      test(
        'what is private stays with whom it is for',
        withCacheOf(async (cache) => {
          let calls = 0
          let given = {}
          const url = await start({ cache }, () => ({ ...given, body: `${++calls}` }))
          await ask(url)
          for (const headers of [{ cookie: 'sid=1' }, { authorization: 'Bearer x' }]) {
            const [, body, status] = await ask(url, { headers })
            assert.deepEqual([body, status], [`${calls}`, 'cinnabar; fwd=bypass'])
          }
          for (const [name, value, detail] of [
            ['set-cookie', 'a=b', 'set-cookie'],
            ['cache-control', 'private, max-age=5', 'cache-control'],
            ['cache-control', 'no-store', 'cache-control'],
            ['expires', '0', 'cache-control'],
            ['content-type', 'text/event-stream', 'stream'],
            ['vary', 'Accept-Language', 'vary'],
            ['vary', '*', 'vary'],
          ]) {
            given = { headers: { [name]: value } }
            const path = `${url}/${encodeURIComponent(name + value)}`
            for (let n = 0; n < 2; n++) {
              const [, body, status] = await ask(path)
              assert.deepEqual([body, status], [`${calls}`, `cinnabar; fwd=uri-miss; detail=${detail}`], name)
            }
          }
          for (const status of [201, 302, 400, 404, 500]) {
            given = { status }
            for (let n = 0; n < 2; n++) assert.equal((await ask(`${url}/${status}`))[1], `${calls}`)
          }
        }),
      )

      test(
        'a key says who shares a response, and vary what it depends on',
        withCacheOf(async (cache) => {
          const headersIn = (subject) => subject.headers ?? subject.req.header()
          const key = (subject) => headersIn(subject).cookie?.slice(4) ?? null
          const url = await start({ cache, key }, ({ headers }) => ({ body: `for ${headers.cookie}` }))
          for (const user of ['ann', 'ben', 'ann']) {
            assert.equal((await ask(url, { headers: { cookie: `sid=${user}` } }))[1], `for sid=${user}`)
          }
          assert.equal((await ask(url, { headers: { cookie: 'sid=ann' } }))[2], 'cinnabar; hit')
          assert.equal((await ask(url))[2], 'cinnabar; fwd=bypass')
          assert.equal(await cache.invalidate('ann'), 1)
          assert.equal((await ask(url, { headers: { cookie: 'sid=ann' } }))[2], 'cinnabar; fwd=uri-miss')

          const speaking = await start({ cache, vary: ['Accept-Language'] }, ({ headers }) => ({
            body: headers['accept-language'],
            headers: { vary: 'accept-language' },
          }))
          for (const language of ['de', 'en', 'de']) {
            const [, body] = await ask(speaking, { headers: { 'accept-language': language } })
            assert.equal(body, language)
          }
          const again = await fetch(speaking, { headers: { 'accept-language': 'en' } })
          assert.deepEqual([statusOf(again), again.headers.get('vary')], ['cinnabar; hit', 'accept-language'])
        }),
      )

      test(
        'a client that has the response gets 304, also of a response that is made for it, and HEAD no body',
        withCacheOf(async (cache) => {
          const modified = 'Tue, 01 Sep 2026 10:00:00 GMT'
          let calls = 0
          const seen = []
          const url = await start({ cache, tags: ['all'] }, ({ headers }) => {
            calls++
            seen.push(headers['if-none-match'])
            return { body: 'body', headers: { 'last-modified': modified, etag: '"own"', 'x-own': '1' } }
          })
          const head = await fetch(url, { method: 'HEAD' })
          assert.deepEqual([head.status, statusOf(head)], [200, 'cinnabar; fwd=uri-miss'])
          assert.equal((await ask(url))[2], 'cinnabar; fwd=uri-miss', 'a response without its body is not stored')
          for (const [headers, status] of [
            [{ 'if-none-match': '"own"' }, 304],
            [{ 'if-none-match': 'W/"own", "x"' }, 304],
            [{ 'if-none-match': '*' }, 304],
            [{ 'if-none-match': '"x"', 'if-modified-since': modified }, 200],
            [{ 'if-modified-since': modified }, 304],
            [{ 'if-modified-since': 'Tue, 01 Sep 2026 09:59:59 GMT' }, 200],
          ]) {
            const response = await fetch(url, { headers })
            assert.equal(response.status, status, JSON.stringify(headers))
            assert.equal(await response.text(), status === 200 ? 'body' : '')
            assert.equal(response.headers.get('etag'), '"own"')
            assert.equal(response.headers.get('x-own'), '1')
          }
          const stored = await fetch(url, { method: 'HEAD' })
          assert.deepEqual([stored.status, await stored.text(), statusOf(stored)], [200, '', 'cinnabar; hit'])
          assert.equal(calls, 2)
          await cache.invalidateByTag('all')
          const headers = { 'if-none-match': '"own"' }
          const first = await fetch(url, { headers })
          // With the headers sent before the body, as plain Node.js does it here, it is too late.
          assert.equal(first.status, name === 'node:http' ? 200 : 304)
          assert.equal(statusOf(first), 'cinnabar; fwd=uri-miss')
          assert.equal(seen.at(-1), undefined, 'the handler has made the whole response')
          assert.deepEqual(await ask(url), [200, 'body', 'cinnabar; hit'])
        }),
      )

      test(
        'of concurrent requests one calls the handler; if what it gets may not be stored, the others do too',
        withCacheOf(async (cache) => {
          let [calls, gate] = [0, deferred()]
          let given = (n) => ({ body: `${n}` })
          const url = await start({ cache }, async () => {
            const own = ++calls
            await gate.promise
            return given(own)
          })
          const all = (path) => Array.from({ length: 20 }, () => ask(url + path))
          const shared = all('/shared')
          await until('it was called', () => calls > 0)
          gate.resolve()
          const got = await Promise.all(shared)
          assert.deepEqual(got.map(([, body]) => body), Array(20).fill('1')) // prettier-ignore
          assert.equal(got.filter(([, , status]) => status === 'cinnabar; hit').length, 19)
          assert.equal(calls, 1)
          for (const [path, headers, status] of [
            ['/private', { 'cache-control': 'private' }, 200],
            ['/failing', {}, 500],
          ]) {
            ;[calls, gate] = [0, deferred()]
            given = (n) => ({ body: `${n}`, headers, status })
            const asked = all(path)
            await until('it was called', () => calls > 0)
            gate.resolve()
            const bodies = (await Promise.all(asked)).map(([, body]) => body)
            assert.equal(new Set(bodies).size, 20, 'each has a response of its own')
          }
          given = () => {
            throw new Error('no')
          }
          for (const each of await Promise.all(all('/throwing'))) assert.deepEqual(each.slice(0, 2), [500, 'failed'])
        }),
      )

      test(
        'a client that leaves takes no other with it, and another one leads',
        withCacheOf(async (cache) => {
          let calls = 0
          const gates = [deferred(), deferred()]
          const url = await start({ cache }, async ({ path }) => {
            if (path !== '/x') return {}
            const own = calls++
            await gates[own]?.promise
            return { body: `${own}` }
          })
          const leaving = send(`${url}/x`).on('error', () => {})
          leaving.end()
          await until('it was called', () => calls === 1)
          const staying = Array.from({ length: 5 }, () => ask(`${url}/x`))
          // They have joined once each has had the time for its own read of the cache.
          for (let n = 0; n < 10; n++) await ask(`${url}/else${n}`)
          leaving.destroy()
          if (name === 'hono') {
            // Its handler has no connection to lose: those that wait get what it returns.
            gates[0].resolve()
            for (const [, body] of await Promise.all(staying)) assert.equal(body, '0')
            return
          }
          await until('another one leads', () => calls === 2)
          gates[1].resolve()
          for (const [, body] of await Promise.all(staying)) assert.equal(body, '1')
          assert.equal(calls, 2)
          gates[0].resolve()
        }),
      )

      test(
        'what another program stored under a key is not sent',
        withCacheOf(async (cache, service) => {
          const ok = { status: 200, headers: [], body: 'x', storedAt: 1 }
          const url = await start({ cache, key: () => 'k' }, () => ({ body: 'mine' }))
          for (const value of [
            1,
            null,
            {},
            { ...ok, status: 999 },
            { ...ok, headers: [['a b', 'c']] },
            { ...ok, headers: [['a', 'b\nc']] },
            { ...ok, headers: [['a', 'b\u{1}c']] },
            { ...ok, headers: [['a', 'ä\u{1234}']] },
            { ...ok, body: 1 },
            { ...ok, headers: { a: 'b' } },
          ]) {
            await cache.set('k', value)
            assert.equal((await ask(url))[1], 'mine', JSON.stringify(value))
          }
          await cache.set('k', { ...ok, statusText: 'a\nb' })
          assert.ok(['x', 'mine'].includes((await ask(url))[1]))
          await cache.set('k', ok)
          assert.deepEqual(await ask(url), [200, 'x', 'cinnabar; hit'])
          const client = await rawClient(service)
          await client.del('api:k')
          await client.hSet('api:k', 'a', 'b')
          for (const method of ['GET', 'HEAD']) assert.equal((await ask(url, { method }))[0], 200)
        }),
      )

      test(
        'bodies above maxBytes are passed on, and not stored',
        withCacheOf(async (cache) => {
          let calls = 0
          const url = await start({ cache, maxBytes: 10 }, ({ path }) => {
            calls++
            return { body: 'x'.repeat(Number(path.slice(1))) }
          })
          for (let n = 1; n <= 2; n++) {
            const [, body] = await ask(`${url}/11`)
            assert.deepEqual([body.length, calls], [11, n])
          }
          await ask(`${url}/10`)
          assert.equal((await ask(`${url}/10`))[2], 'cinnabar; hit')
        }),
      )

      test(
        'an invalid key or tag is an error of the request',
        withCacheOf(async (cache) => {
          for (const options of [{ key: () => 1 }, { tags: () => 'x' }, { key: () => Promise.reject(new Error()) }]) {
            const url = await start({ cache, ...options }, () => ({ body: 'mine' }))
            assert.equal((await ask(url))[0], 500)
          }
        }),
      )
    })
  }
}

const [memory, redis] = engines

for (const [name, start] of Object.entries(APPS)) {
  describe(name, () => {
    test('the request that finds a stale response makes the new one, and others get the stale one meanwhile', async () => {
      const service = await memory.makeService()
      let [calls, gate] = [0, undefined]
      let status = 200
      const options = { cache: service.cache, ttl: 10, staleWhileRevalidate: 600 }
      const url = await start(options, async () => {
        const own = ++calls
        await gate?.promise
        return { body: `${own}`, status }
      })
      await ask(url)
      // A response is sent before it is stored.
      assert.equal((await ask(url))[2], 'cinnabar; hit')
      await memory.advance(service, 15_000)
      gate = deferred()
      const making = ask(url)
      await until('it is made', () => calls === 2)
      assert.deepEqual(await ask(url), [200, '1', 'cinnabar; hit'])
      gate.resolve()
      assert.deepEqual(await making, [200, '2', 'cinnabar; fwd=uri-miss'])
      await until('it is stored', async () => (await ask(url))[1] === '2')
      assert.equal(calls, 2)
      // While it cannot be replaced, the attempts are made less and less often.
      status = 500
      await memory.advance(service, 15_000)
      assert.deepEqual((await ask(url)).slice(0, 2), [500, '3'])
      for (let n = 0; n < 20; n++) assert.equal((await ask(url))[1], '2')
      assert.equal(calls, 3)
      await service.disconnect()
    })

    test('the handler is called while there is no server', async () => {
      const service = await redis.makeService({ log: false, timeoutMs: 300 })
      await redis.server.stop()
      let calls = 0
      const url = await start({ cache: service.cache, tags: ['t'] }, () => ({ body: `${++calls}` }))
      for (let n = 1; n <= 3; n++) assert.equal((await ask(url))[1], `${n}`)
      assert.equal((await ask(url, { method: 'HEAD' }))[0], 200)
      await redis.server.start()
      await service.disconnect()
    })

    test('requests do not wait longer for another one than the cache says', async () => {
      const service = await memory.makeService()
      const cache = new ApiCache(service, { prefix: 'short:', loadTimeoutMs: 100 })
      let calls = 0
      const url = await start({ cache }, () => {
        calls++
        return calls === 1 ? new Promise(() => {}) : { body: `${calls}` }
      })
      const stuck = send(`${url}/x`).on('error', () => {})
      stuck.end()
      await until('it was called', () => calls === 1)
      const [, body] = await ask(`${url}/x`)
      assert.equal(body, '2')
      stuck.destroy()
      await service.disconnect()
    })
  })
}

test('invalid options are refused at once', async () => {
  for (const options of [{ ttl: 0 }, { vary: ['*'] }, { tags: 'a' }, { key: 'k' }, { cache: {} }, { other: 1 }]) {
    for (const make of [forExpress, forHono]) assert.throws(() => make(options), { code: 'E_INVALID_ARGUMENT' })
    await assert.rejects(async () => Fastify().register(forFastify, options), { code: 'E_INVALID_ARGUMENT' })
  }
  for (const make of [forExpress, forHono]) assert.equal(typeof make(), 'function')
  await Fastify().register(forFastify)
  await Fastify().register(forFastify, { prefix: '/x', logLevel: 'warn' })
})
