// Responses in a cache that replaces values early and keeps failures: what a framework makes for one request cannot be made without it.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { describe, test } from 'node:test'

import { ApiCache, withCache } from 'cinnabar'
import { cache } from 'cinnabar/express'
import { cache as honoCache } from 'cinnabar/hono'
import { Hono } from 'hono'

import { deferred, rawClient, until } from '../helpers.mjs'
import { engines } from '../support/engines.mjs'

const URL = 'http://localhost/a'

for (const engine of engines) {
  describe(`responses that are replaced early, on ${engine.name}`, () => {
    const withOwnCache = (run) => async () => {
      const service = await engine.makeService()
      const own = new ApiCache(service, { eagerRefresh: 0.1, errorTtl: 600 })
      const client = await rawClient(service)
      // Nine tenths of its time are over.
      const age = async () => {
        for (const key of await client.sendCommand(['KEYS', 'api:*'])) {
          if (!key.includes('{')) await client.pExpire(key, 1000)
        }
      }
      await run(own, age)
      await service.disconnect()
    }
    /** Starts a server with a handler behind the cache of Express. */
    const serve = async (t, own, handler) => {
      const middleware = cache({ cache: own, ttl: 10 })
      const server = createServer((request, response) => middleware(request, response, () => handler(response)))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      t.after(() => (server.close(), server.closeAllConnections()))
      return `http://127.0.0.1:${server.address().port}/`
    }

    test(
      'are made anew by fetch handlers',
      withOwnCache(async (own, age) => {
        let calls = 0
        const handler = withCache(() => new Response(`v${++calls}`), { cache: own, ttl: 10 })
        const text = async () => (await handler(new Request(URL))).text()
        assert.deepEqual([await text(), await text()], ['v1', 'v1'])
        await age()
        assert.equal(await text(), 'v1')
        await until('it is replaced', async () => (await text()) === 'v2')
        assert.equal(own.stats().errors, 0)
      }),
    )

    test(
      'are not made without a request of Hono',
      withOwnCache(async (own, age) => {
        let calls = 0
        const app = new Hono()
          .use(honoCache({ cache: own, ttl: 10 }))
          .get('/a', (context) => context.text(`v${++calls}`))
        const text = async () => (await app.request(URL)).text()
        assert.equal(await text(), 'v1')
        await age()
        for (let call = 0; call < 5; call++) assert.equal(await text(), 'v1')
        assert.deepEqual([calls, own.stats().errors], [1, 0])
      }),
    )

    test('are not made without a request of Node.js', async (t) => {
      await withOwnCache(async (own, age) => {
        let calls = 0
        const url = await serve(t, own, (response) => response.end(`v${++calls}`))
        const text = async () => (await fetch(url)).text()
        assert.equal(await text(), 'v1')
        await age()
        for (let call = 0; call < 5; call++) assert.equal(await text(), 'v1')
        assert.deepEqual([calls, own.stats().errors], [1, 0])
      })()
    })

    test('are made for others at once if a client has left', async (t) => {
      await withOwnCache(async (own) => {
        const [began, left] = [deferred(), new AbortController()]
        let calls = 0
        const url = await serve(t, own, (response) => {
          if (++calls > 1) return response.end('whole')
          response.on('close', () => began.resolve('closed'))
          left.abort()
        })
        await assert.rejects(fetch(url, { signal: left.signal }), { name: 'AbortError' })
        await began.promise
        const before = own.stats().misses
        assert.equal(await (await fetch(url)).text(), 'whole')
        assert.ok(own.stats().misses - before <= 3, `${own.stats().misses - before} reads`)
      })()
    })

    test(
      'a failed handler fails for one request only',
      withOwnCache(async (own) => {
        let calls = 0
        const handler = withCache(
          () => {
            if (++calls === 1) throw new Error('of this request')
            return new Response('fine')
          },
          { cache: own, ttl: 10 },
        )
        await assert.rejects(handler(new Request(URL)), /of this request/)
        assert.equal(await (await handler(new Request(URL))).text(), 'fine')
      }),
    )
  })
}
