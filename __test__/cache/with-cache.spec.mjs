// Responses of handlers of fetch requests, cached for those who may share them.

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'

import { serve } from '@hono/node-server'
import { ApiCache, withCache, withRateLimit } from 'cinnabar'
import { Hono } from 'hono'

import { deferred, rawClient, refuses, runJson, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const [memory, redis] = engines
const URL_OF = 'http://example.com/items?page=1'
const get = (headers = {}, url = URL_OF, method = 'GET') => new Request(url, { method, headers })
const statusOf = (response) => response.headers.get('cache-status')

/** Calls a handler, and returns what matters of its response. */
async function ask(handler, request = get()) {
  const response = await handler(request)
  return [response.status, await response.text(), statusOf(response)]
}

const bytesOf = async (response) => new Uint8Array(await response.arrayBuffer())

for (const engine of engines) {
  describe(`withCache on ${engine.name}`, () => {
    const withCacheOf = (run) => async () => {
      const service = await engine.makeService({ log: false })
      try {
        await run(service.cache, service)
      } finally {
        await service.disconnect()
      }
    }

    test(
      'calls the handler once, also for another process, until the tag is invalidated',
      withCacheOf(async (cache, service) => {
        let calls = 0
        const make = (cache) =>
          withCache(() => Response.json({ call: ++calls }, { headers: { 'x-own': 'yes' } }), { cache, tags: ['items'] })
        const other = engine.beside(service, { poolSize: 2 })
        const [here, there] = [make(cache), make(other.cache)]
        assert.deepEqual(await ask(here), [200, '{"call":1}', 'cinnabar; fwd=uri-miss'])
        for (const handler of [here, there]) {
          const response = await handler(get())
          assert.equal(statusOf(response), 'cinnabar; hit')
          assert.equal(response.headers.get('content-type'), 'application/json')
          assert.equal(response.headers.get('x-own'), 'yes')
          assert.match(response.headers.get('age'), /^\d+$/)
          assert.deepEqual(await response.json(), { call: 1 })
        }
        assert.equal((await ask(here, get({}, 'http://example.com/items?page=2')))[1], '{"call":2}')
        assert.equal((await ask(here, get({}, 'http://other.example/items?page=1')))[1], '{"call":3}')
        assert.equal((await ask(here, get({}, `${URL_OF}#part`)))[2], 'cinnabar; hit', "a fragment is the client's own")
        await cache.invalidateByTag('items')
        assert.equal((await ask(there))[1], '{"call":4}')
        await other.disconnect()
      }),
    )

    test(
      'returns every body and header as it was',
      withCacheOf(async (cache) => {
        const bytes = Uint8Array.from({ length: 256 }, (_, n) => n)
        const bodies = {
          empty: '',
          text: 'häß\u{feff}\0',
          bom: '\u{feff}x',
          binary: bytes,
          none: null,
          lone: '\ud800',
          invalid: bytes.slice(128),
        }
        for (const [name, body] of Object.entries(bodies)) {
          const handler = withCache(() => new Response(body, { headers: { 'x-name': name } }), { cache })
          const url = `http://example.com/${name}`
          const [first, second] = [await handler(get({}, url)), await handler(get({}, url))]
          assert.equal(statusOf(second), 'cinnabar; hit')
          assert.deepEqual(await bytesOf(second), await bytesOf(new Response(body)), name)
          const own = (response) =>
            [...response.headers].filter(([header]) => !['age', 'cache-status'].includes(header))
          assert.deepEqual(own(second), own(first))
          assert.equal(second.headers.get('content-type'), new Response(body).headers.get('content-type'))
        }
        const moved = withCache(() => Response.redirect('http://example.com/there', 308), { cache })
        await moved(get({}, 'http://example.com/moved'))
        const again = await moved(get({}, 'http://example.com/moved'))
        assert.deepEqual(
          [again.status, again.headers.get('location'), statusOf(again)],
          [308, 'http://example.com/there', 'cinnabar; hit'],
        )
      }),
    )

    test(
      'keeps what is private to whom it is for',
      withCacheOf(async (cache) => {
        let calls = 0
        const handler = withCache(() => new Response(`${++calls}`), { cache })
        await ask(handler)
        for (const headers of [{ cookie: 'sid=1' }, { authorization: 'Bearer x' }]) {
          const [, body, status] = await ask(handler, get(headers))
          assert.deepEqual([body, status], [`${calls}`, 'cinnabar; fwd=bypass'])
        }
        for (const [name, value, detail] of [
          ['set-cookie', 'a=b', 'set-cookie'],
          ['cache-control', 'private, max-age=5', 'cache-control'],
          ['cache-control', 'max-age=5,No-Store', 'cache-control'],
          ['cache-control', 'no-cache="x"', 'cache-control'],
          ['cache-control', 'max-age=5;private', 'cache-control'],
          ['cache-control', '"private"', 'cache-control'],
          ['cache-control', 'max-age=0, must-revalidate', 'cache-control'],
          ['cache-control', 'max-age=60, s-maxage=0', 'cache-control'],
          ['pragma', 'no-cache', 'cache-control'],
          ['expires', '0', 'cache-control'],
          ['content-type', 'text/event-stream; charset=utf-8', 'stream'],
          ['content-length', `${2 ** 30}`, 'size'],
          ['vary', 'Accept-Language', 'vary'],
          ['vary', '*', 'vary'],
        ]) {
          const one = withCache(() => new Response(`${++calls}`, { headers: { [name]: value } }), { cache })
          const url = `http://example.com/${encodeURIComponent(name + value)}`
          for (let n = 0; n < 2; n++) {
            const [, body, status] = await ask(one, get({}, url))
            assert.deepEqual([body, status], [`${calls}`, `cinnabar; fwd=uri-miss; detail=${detail}`])
          }
        }
        for (const status of [201, 206, 302, 400, 404, 500]) {
          const one = withCache(() => new Response(`${++calls}`, { status }), { cache })
          const url = `http://example.com/${status}`
          for (let n = 0; n < 2; n++) assert.equal((await ask(one, get({}, url)))[1], `${calls}`)
        }
        for (const value of ['public, max-age=0, s-maxage=60', 'max-age=60', 'x-private-x', 'immutable']) {
          const one = withCache(() => new Response(value, { headers: { 'cache-control': value } }), { cache })
          const url = `http://example.com/shared/${encodeURIComponent(value)}`
          await ask(one, get({}, url))
          assert.equal((await ask(one, get({}, url)))[2], 'cinnabar; hit', value)
        }
        const rotating = withCache(
          () => new Response('own', { headers: { 'set-cookie': 'sid=new', 'cache-control': 'private', etag: '"e"' } }),
          { cache, key: () => 'rotating' },
        )
        const rotated = await rotating(get({ 'if-none-match': '"e"' }))
        assert.deepEqual([rotated.status, rotated.headers.getSetCookie()], [200, ['sid=new']], 'it is for one client')
        const posted = await ask(handler, get({}, URL_OF, 'POST'))
        assert.deepEqual(posted, [200, `${calls}`, 'cinnabar; fwd=method'])
      }),
    )

    test(
      'a key says who shares a response, and vary what it depends on',
      withCacheOf(async (cache) => {
        const user = (request) => request.headers.get('cookie')?.slice(4) ?? null
        const handler = withCache((request) => new Response(`for ${user(request)}`), { cache, key: user })
        for (const name of ['ann', 'ben', 'ann']) {
          assert.equal((await ask(handler, get({ cookie: `sid=${name}` })))[1], `for ${name}`)
        }
        assert.equal((await ask(handler, get({ cookie: 'sid=ann' })))[2], 'cinnabar; hit')
        assert.equal((await ask(handler))[2], 'cinnabar; fwd=bypass')
        assert.equal(await cache.invalidate('ann'), 1)
        assert.equal((await ask(handler, get({ cookie: 'sid=ann' })))[2], 'cinnabar; fwd=uri-miss')

        const make = (request) =>
          new Response(request.headers.get('accept-language'), { headers: { vary: 'accept-language, Cookie' } })
        const speaking = withCache(make, { cache, vary: ['Accept-Language', 'cookie'] })
        for (const language of ['de', 'en', 'de']) {
          assert.equal((await ask(speaking, get({ 'accept-language': language, cookie: 'x' })))[1], language)
        }
        assert.equal((await ask(speaking, get({ 'accept-language': 'en', cookie: 'x' })))[2], 'cinnabar; hit')
        assert.equal((await ask(speaking, get({ 'accept-language': 'en', cookie: 'y' })))[2], 'cinnabar; fwd=uri-miss')
      }),
    )

    test(
      'a client that has the response gets 304, and HEAD no body',
      withCacheOf(async (cache) => {
        const modified = 'Tue, 01 Sep 2026 10:00:00 GMT'
        const handler = withCache(
          () => new Response('body', { headers: { 'last-modified': modified, 'x-own': '1' } }),
          { cache },
        )
        const etag = (await handler(get())).headers.get('etag')
        for (const [headers, status] of [
          [{ 'if-none-match': etag }, 304],
          [{ 'if-none-match': `W/${etag}` }, 304],
          [{ 'if-none-match': `"x", ${etag}` }, 304],
          [{ 'if-none-match': '*' }, 304],
          [{ 'if-none-match': '"x"' }, 200],
          [{ 'if-none-match': etag.slice(1, -1) }, 200],
          [{ 'if-none-match': '"x"', 'if-modified-since': modified }, 200],
          [{ 'if-modified-since': modified }, 304],
          [{ 'if-modified-since': 'Tue, 01 Sep 2026 09:59:59 GMT' }, 200],
          [{ 'if-modified-since': 'yesterday' }, 200],
        ]) {
          const response = await handler(get(headers))
          assert.equal(response.status, status, JSON.stringify(headers))
          assert.equal(await response.text(), status === 200 ? 'body' : '')
          assert.equal(response.headers.get('etag'), etag)
          assert.deepEqual([response.headers.get('x-own'), response.headers.has('content-type')], ['1', status === 200])
        }
        const head = await handler(get({}, URL_OF, 'HEAD'))
        assert.deepEqual([head.status, await head.text(), statusOf(head)], [200, '', 'cinnabar; hit'])
        const other = await handler(get({}, 'http://example.com/other', 'HEAD'))
        assert.equal(statusOf(other), 'cinnabar; fwd=uri-miss', 'a response without its body is not stored')
      }),
    )

    test(
      'concurrent requests share a call, and its error',
      withCacheOf(async (cache) => {
        let calls = 0
        const gate = deferred()
        const handler = withCache(
          async () => {
            calls++
            await gate.promise
            return new Response('x'.repeat(10_000))
          },
          { cache },
        )
        const all = Array.from({ length: 20 }, () => ask(handler))
        await until('it was called', () => calls > 0)
        gate.resolve()
        for (const [status, body] of await Promise.all(all)) assert.deepEqual([status, body.length], [200, 10_000])
        assert.equal(calls, 1)
        const failing = withCache(() => Promise.reject(new Error('no')), { cache, key: () => 'failing' })
        const outcomes = await Promise.allSettled([ask(failing), ask(failing)])
        assert.deepEqual(
          outcomes.map(({ reason }) => reason.message),
          ['no', 'no'],
        )
        let privates = 0
        const first = deferred()
        const secret = withCache(
          async () => {
            const own = ++privates
            if (own === 1) await first.promise
            return new Response(`${own}`, { headers: { 'cache-control': 'private' } })
          },
          { cache, key: () => 'private' },
        )
        const asked = Array.from({ length: 5 }, () => ask(secret))
        await until('one load is shared', () => privates === 1)
        first.resolve()
        const bodies = (await Promise.all(asked)).map(([, body]) => body)
        assert.equal(new Set(bodies).size, 5, 'each has a response of its own')
      }),
    )

    test(
      'a large body is passed on as it arrives, and not stored',
      withCacheOf(async (cache) => {
        let calls = 0
        let isCancelled = false
        const make = () => {
          calls++
          let sent = 0
          const pull = (controller) => {
            controller.enqueue(new Uint8Array(1000).fill(sent))
            if (++sent === 10) controller.close()
          }
          return new Response(new ReadableStream({ pull, cancel: () => (isCancelled = true) }, { highWaterMark: 0 }))
        }
        const handler = withCache(make, { cache, maxBytes: 2500 })
        for (let n = 1; n <= 2; n++) {
          const response = await handler(get())
          assert.equal(statusOf(response), 'cinnabar; fwd=uri-miss; detail=size')
          const bytes = new Uint8Array(await response.arrayBuffer())
          assert.deepEqual([bytes.length, bytes[999], bytes[1000], bytes[9999], calls], [10_000, 0, 1, 9, n])
        }
        const response = await handler(get())
        await response.body.cancel()
        assert.equal(isCancelled, true)
        const fits = withCache(make, { cache, maxBytes: 10_000, key: () => 'fits' })
        await fits(get())
        assert.equal(statusOf(await fits(get())), 'cinnabar; hit')
      }),
    )

    test(
      'what another program stored under a key is not returned',
      withCacheOf(async (cache) => {
        const ok = { status: 200, headers: [], body: 'x', storedAt: 1 }
        const handler = withCache(() => new Response('mine'), { cache, key: () => 'k' })
        for (const value of [
          1,
          null,
          'x',
          [],
          {},
          { ...ok, status: 999 },
          { ...ok, headers: [['a b', 'c']] },
          { ...ok, headers: [['a', 'b\nc']] },
          { ...ok, body: 1 },
          { ...ok, headers: { a: 'b' } },
        ]) {
          await cache.set('k', value)
          assert.equal((await ask(handler))[1], 'mine', JSON.stringify(value))
        }
        await cache.set('k', ok)
        assert.deepEqual(await ask(handler), [200, 'x', 'cinnabar; hit'])
      }),
    )
  })
}

describe('withCache', () => {
  test('leaves the response of the handler as it is, and a body that is passed on whole', async () => {
    const service = await memory.makeService()
    const same = new Response(null, { status: 404, headers: { 'x-own': '1' } })
    const handler = withCache(() => same, { cache: service.cache })
    for (let n = 0; n < 3; n++) assert.equal((await handler(get())).headers.get('cache-status').split(',').length, 1)
    assert.deepEqual([...same.headers.keys()], ['x-own'])
    await service.disconnect()
    const { bodies } = await runJson(
      `const { once } = await import('node:events')
       const { createServer } = await import('node:http')
       const { RedisService, withCache, withRateLimit } = await import('cinnabar')
       const server = createServer((request, response) => response.end('x'.repeat(20))).listen(0, '127.0.0.1')
       await once(server, 'listening')
       const service = new RedisService({ url: 'memory:' })
       const upstream = () => fetch('http://127.0.0.1:' + server.address().port)
       const bodies = []
       for (const handler of [withCache(upstream, { cache: service.cache }), withRateLimit(upstream, { limiter: service.limiter })]) {
         const responses = []
         for (let n = 0; n < 10; n++) responses.push(await handler(new Request('http://a/', { method: 'POST' })))
         // What is collected is finalized in a later turn.
         for (let n = 0; n < 20; n++) {
           gc()
           await new Promise(setImmediate)
         }
         for (const response of responses) bodies.push(await response.text())
       }
       console.log(JSON.stringify({ bodies }))
       server.close()
       await service.disconnect()`,
      { env: { NODE_OPTIONS: '--expose-gc' } },
    )
    assert.deepEqual(bodies, Array(20).fill('x'.repeat(20)))
  })

  test('rejects what is not a response, and withRateLimit returns it as it is', async () => {
    const service = await memory.makeService()
    for (const value of [undefined, null, 'text', { a: 1 }, 200]) {
      for (const request of [get(), get({ cookie: 'a' }), get({}, URL_OF, 'POST'), get({}, URL_OF, 'HEAD')]) {
        const handler = withCache(() => value, { cache: service.cache })
        await refuses(handler(request), 'E_INVALID_ARGUMENT', /handler must return a Response/)
      }
    }
    const object = { a: 1 }
    assert.equal(await withRateLimit(() => object, { limiter: service.limiter })(get()), object)
    await service.disconnect()
  })

  test('cancels bodies that are not passed on', async () => {
    const service = await memory.makeService()
    const cancelled = []
    const endless = (name) => () =>
      new Response(
        new ReadableStream({
          pull: (controller) => turn().then(() => controller.enqueue(new Uint8Array(1))),
          cancel: () => void cancelled.push(name),
        }),
      )
    const cache = new ApiCache(service, { prefix: 'short:', loadTimeoutMs: 100 })
    await refuses(withCache(endless('late'), { cache })(get()), 'E_TIMEOUT')
    await withCache(endless('head'), { cache })(get({}, URL_OF, 'HEAD'))
    await until('both are cancelled', () => cancelled.length === 2)
    assert.deepEqual(cancelled.sort(), ['head', 'late'])
    await service.disconnect()
  })

  test('a client that leaves takes no other with it', async () => {
    const service = await memory.makeService()
    const controller = new AbortController()
    let calls = 0
    const handler = withCache(
      async ({ signal }) => {
        calls++
        if (signal.aborted || calls === 1) await once(signal, 'abort')
        signal.throwIfAborted()
        return new Response('body')
      },
      { cache: service.cache },
    )
    const leaving = handler(new Request(URL_OF, { signal: controller.signal }))
    await until('it was called', () => calls === 1)
    const staying = ask(handler)
    for (let n = 0; n < 20; n++) await turn()
    controller.abort()
    await assert.rejects(leaving, { name: 'AbortError' })
    assert.equal((await staying)[1], 'body')
    await service.disconnect()
  })

  test('passes on whatever a handler throws as it is, such as the redirections of Next.js', async () => {
    const service = await memory.makeService()
    const thrown = Object.assign(new Error('NEXT_REDIRECT'), { digest: 'NEXT_REDIRECT;replace;/login;307;' })
    const gate = deferred()
    const options = { cache: service.cache, ttl: 10, staleWhileRevalidate: 60 }
    const handler = withCache(() => gate.promise, options)
    const calls = [handler(get()), handler(get()), handler(get({ cookie: 'a' }))]
    gate.reject(thrown)
    for (const { reason } of await Promise.allSettled(calls)) assert.equal(reason, thrown)
    await service.disconnect()
  })

  test('waits longer each time before it replaces what is stale with a response that it cannot store', async () => {
    const service = await memory.makeService()
    let calls = 0
    const make = () => new Response(`${++calls}`, { status: calls === 1 ? 200 : 500 })
    const handler = withCache(make, { cache: service.cache, ttl: 10, staleWhileRevalidate: 600 })
    await ask(handler)
    await memory.advance(service, 15_000)
    for (let n = 0; n < 20; n++) assert.equal((await ask(handler))[1], '1')
    assert.equal(calls, 2)
    await service.disconnect()
  })

  test('passes by what another program stored, of any type', async () => {
    const service = await redis.makeService()
    const client = await rawClient(service)
    const handler = withCache(() => new Response('mine'), { cache: service.cache, key: () => 'k' })
    await client.hSet('api:k', 'a', 'b')
    for (const method of ['GET', 'HEAD']) assert.equal((await handler(get({}, URL_OF, method))).status, 200)
    await client.del('api:k')
    await client.set('api:k', 'no JSON')
    assert.equal((await ask(handler))[1], 'mine')
    await service.disconnect()
  })

  test('adds to the age of a response that was stored before', async () => {
    const service = await memory.makeService()
    const handler = withCache(() => new Response('x', { headers: { age: '100' } }), { cache: service.cache })
    await handler(get())
    assert.equal((await handler(get())).headers.get('age'), '100')
    await service.disconnect()
  })

  test('returns what is stale while it makes another', async () => {
    const service = await memory.makeService()
    let calls = 0
    const handler = withCache(() => new Response(`${++calls}`), {
      cache: service.cache,
      ttl: 10,
      staleWhileRevalidate: 60,
    })
    await ask(handler)
    await memory.advance(service, 15_000)
    const [, body, status] = await ask(handler)
    assert.deepEqual([body, status], ['1', 'cinnabar; hit'])
    await until('it is there', async () => (await ask(handler))[1] === '2')
    assert.equal(calls, 2)
    await memory.advance(service, 100_000)
    assert.equal((await ask(handler))[1], '3')
    await service.disconnect()
  })

  test('calls the handler while there is no server', async () => {
    const service = await redis.makeService({ log: false, timeoutMs: 300 })
    await redis.server.stop()
    let calls = 0
    const handler = withCache(() => new Response(`${++calls}`), { cache: service.cache, tags: ['t'] })
    for (let n = 1; n <= 3; n++) assert.equal((await ask(handler))[1], `${n}`)
    await redis.server.start()
    await service.disconnect()
  })

  test('refuses invalid options at once, and invalid keys and tags when they come', async () => {
    for (const options of [
      { ttl: 0 },
      { ttl: '1' },
      { maxBytes: -1 },
      { maxBytes: 1.5 },
      { vary: 'a' },
      { vary: [1] },
      { vary: ['*'] },
      { vary: ['a b'] },
      { vary: [''] },
      { maxBytes: 2 ** 27 },
      { tags: 'a' },
      { key: 'k' },
      { cache: {} },
      { cache: null },
      { other: 1 },
      { staleWhileRevalidate: -1 },
    ]) {
      assert.throws(
        () => withCache(() => new Response(), options),
        { code: 'E_INVALID_ARGUMENT' },
        JSON.stringify(options),
      )
    }
    assert.throws(() => withCache(), { code: 'E_INVALID_ARGUMENT' })
    assert.equal(typeof withCache(() => new Response()), 'function')
    assert.equal(typeof withCache(() => new Response(), { cache: ApiCache }), 'function')
    const service = await memory.makeService()
    const { cache } = service
    await refuses(
      withCache(() => new Response(), { cache, key: () => 1 })(get()),
      'E_INVALID_ARGUMENT',
      /key must return/,
    )
    await refuses(withCache(() => new Response(), { cache, tags: () => 'x' })(get()), 'E_INVALID_ARGUMENT', /tags/)
    await service.disconnect()
  })

  test('serves real requests', async () => {
    const service = await redis.makeService()
    let calls = 0
    const app = new Hono()
    const handler = withCache(() => Response.json({ call: ++calls }), { cache: service.cache, ttl: 60 })
    app.get('/items', (context) => handler(context.req.raw))
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
    await once(server, 'listening')
    const url = `http://127.0.0.1:${server.address().port}/items`
    const first = await fetch(url)
    assert.deepEqual(await first.json(), { call: 1 })
    const second = await fetch(url, { headers: { 'if-none-match': first.headers.get('etag') } })
    assert.deepEqual([second.status, await second.text(), statusOf(second)], [304, '', 'cinnabar; hit'])
    const third = await fetch(url)
    assert.deepEqual([await third.json(), third.headers.get('content-length')], [{ call: 1 }, '10'])
    const head = await fetch(url, { method: 'HEAD' })
    assert.deepEqual([head.status, head.headers.has('etag')], [200, true])
    server.close()
    await service.disconnect()
  })
})
