// Limits in front of the handlers of each framework, over HTTP: headers on every response, and a problem for refused requests.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, describe, test } from 'node:test'

import { serve } from '@hono/node-server'
import { RateLimiter, RedisService, withRateLimit } from 'cinnabar'
import { rateLimit as forExpress } from 'cinnabar/express'
import { rateLimit as forFastify } from 'cinnabar/fastify'
import { rateLimit as forHono } from 'cinnabar/hono'
import express from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'

import { until } from '../helpers.mjs'
import { engines, freePort } from '../support/engines.mjs'

const listening = async (server) => {
  await new Promise((resolve) => (server.listening ? resolve() : server.once('listening', resolve)))
  after(() => server.close())
  return `http://127.0.0.1:${server.address().port}`
}

/** The status of a route whose path ends in one. */
const statusIn = (path) => Number(path.match(/\/(\d+)$/)?.[1] ?? 200)

/** Each starts an application whose routes `/status/…` respond with that status behind all limits, and returns its URL. */
const APPS = {
  hono(...limits) {
    const app = new Hono()
    for (const limit of limits) app.use(forHono(limit))
    app.get('*', (c) => c.body('ok', statusIn(c.req.path)))
    return listening(serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }))
  },
  express(...limits) {
    const app = express()
    for (const limit of limits) app.use(forExpress(limit))
    app.use((request, response) => response.status(statusIn(request.path)).send('ok'))
    return listening(app.listen(0, '127.0.0.1'))
  },
  async fastify(...limits) {
    const app = Fastify()
    for (const limit of limits) await app.register(forFastify, limit)
    app.get('/*', async (request, reply) => reply.code(statusIn(request.url)).send('ok'))
    after(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  'node:http'(...limits) {
    const guards = limits.map((limit) => forExpress(limit))
    const server = createServer((request, response) => {
      const run = (at, error) => {
        if (error) return response.writeHead(500).end()
        if (at < guards.length) return guards[at](request, response, (error) => run(at + 1, error))
        return response.writeHead(statusIn(request.url), { 'content-type': 'text/plain' }).end('ok')
      }
      run(0)
    })
    return listening(server.listen(0, '127.0.0.1'))
  },
  fetch(...limits) {
    const plain = (request) => new Response('ok', { status: statusIn(new URL(request.url).pathname) })
    const fetch = limits.reduceRight((handler, limit) => withRateLimit(handler, limit), plain)
    return listening(serve({ fetch, port: 0, hostname: '127.0.0.1' }))
  },
}

const POLICIES = {
  api: { algorithm: 'fixed-window', limit: 2, per: 60 },
  day: { algorithm: 'fixed-window', limit: 3, per: 86_400 },
}
const headersOf = ({ headers }, names) => names.map((name) => headers.get(name))
const NAMES = ['x-ratelimit-limit', 'x-ratelimit-remaining', 'ratelimit-policy', 'ratelimit', 'retry-after']

for (const engine of engines) {
  for (const [name, start] of Object.entries(APPS)) {
    describe(`${name} on ${engine.name}`, async () => {
      const service = await engine.makeService()
      const limiter = new RateLimiter(service, { policies: POLICIES })
      after(() => service.disconnect())

      test('every response has the headers, and a refused one a problem', async () => {
        const refused = []
        const limit = { limiter, policy: 'api', onRefused: (_, { retryAfterMs }) => refused.push(retryAfterMs) }
        const url = await start(limit)
        await limiter.reset('api', '127.0.0.1')
        for (const remaining of ['1', '0']) {
          const response = await fetch(url)
          assert.deepEqual([response.status, await response.text()], [200, 'ok'])
          const seconds = response.headers.get('ratelimit').match(/\d+$/)[0]
          assert.ok(seconds > 50 && seconds <= 60, seconds)
          const wanted = ['2', remaining, '"api";q=2;w=60', `"api";r=${remaining};t=${seconds}`, null]
          assert.deepEqual(headersOf(response, NAMES), wanted)
        }
        const response = await fetch(url)
        assert.equal(response.status, 429)
        const [limitOf, remaining, policy, field, seconds] = headersOf(response, NAMES)
        assert.deepEqual([limitOf, remaining, policy, field], ['2', '0', '"api";q=2;w=60', `"api";r=0;t=${seconds}`])
        assert.ok(seconds > 50 && seconds <= 60, seconds)
        assert.equal(response.headers.get('content-type').split(';')[0], 'application/problem+json')
        const problem = await response.json()
        assert.deepEqual([problem.status, problem['violated-policies']], [429, ['api']])
        assert.ok(refused.length === 1 && refused[0] > 50_000, String(refused))
        assert.equal((await limiter.peek('api', '127.0.0.1')).remaining, 0, 'counted by the address of the connection')
      })

      test('clients behind a proxy are limited by their own address, which they cannot choose', async () => {
        const url = await start({ limiter, policy: 'api', clientIp: { trustedProxies: 1 } })
        const send = (forwarded) => fetch(url, { headers: { 'x-forwarded-for': forwarded } })
        const client = `203.0.113.${Object.keys(APPS).indexOf(name)}`
        for (const [forwarded, status] of [
          [client, 200],
          [`1.1.1.1, ${client}`, 200],
          [`2.2.2.2, ${client}`, 429],
          ['198.51.100.1', 200],
        ]) {
          assert.equal((await send(forwarded)).status, status, forwarded)
        }
        await limiter.reset('api', '198.51.100.1')
      })

      test('a request that identify does not know is limited by its address', async () => {
        const identify = (subject) => (urlOf(subject).endsWith('/ann') ? `${name} ann` : null)
        const url = await start({ limiter, policy: 'day', identify, clientIp: { trustedProxies: 1 } })
        const client = `192.0.2.${Object.keys(APPS).indexOf(name)}`
        for (const path of ['/', '/ann', '/']) await fetch(url + path, { headers: { 'x-forwarded-for': client } })
        assert.equal((await limiter.peek('day', client)).remaining, 1)
        assert.equal((await limiter.peek('day', `${name} ann`)).remaining, 2)
      })

      test('only failures count', async () => {
        const url = await start({ limiter, policy: 'api', count: 'failures', identify: () => `${name} failures` })
        // Some frameworks send the response before they say that it has ended.
        const remains = async () => (await limiter.peek('api', `${name} failures`)).remaining
        const left = (wanted) => until(`${wanted} remain`, async () => (await remains()) === wanted)
        for (const [status, remaining] of [
          [200, 2],
          [302, 2],
          [401, 1],
          [201, 1],
          [500, 0],
        ]) {
          assert.equal((await fetch(`${url}/status/${status}`, { redirect: 'manual' })).status, status)
          await left(remaining)
        }
        assert.equal((await fetch(`${url}/status/200`)).status, 429)
      })

      test('two limits, a request that is skipped, and the form of an older draft', async () => {
        const by = { limiter, identify: () => `${name} both`, skip: (subject) => urlOf(subject).endsWith('/health') }
        const url = await start({ ...by, policy: 'day' }, { ...by, policy: 'api' })
        const response = await fetch(url)
        const [policy, field] = headersOf(response, ['ratelimit-policy', 'ratelimit'])
        assert.deepEqual([policy, field], ['"day";q=3;w=86400, "api";q=2;w=60', '"day";r=2;t=86400, "api";r=1;t=60'])
        assert.deepEqual(headersOf(response, NAMES.slice(0, 2)), ['2', '1'], 'those of the limit next to the handler')
        await fetch(url)
        const refused = await fetch(url)
        assert.deepEqual([refused.status, (await refused.json())['violated-policies']], [429, ['api']])
        const health = await fetch(`${url}/health`)
        assert.deepEqual([health.status, ...headersOf(health, NAMES)], [200, null, null, null, null, null])
        const older = await start({ limiter, policy: 'day', identify: () => `${name} older`, draft: 7 })
        assert.equal((await fetch(older)).headers.get('ratelimit'), 'limit=3, remaining=2, reset=86400')
      })

      test('a limiter without policies', async () => {
        const plain = new RateLimiter(service)
        const url = await start({
          limiter: plain,
          policy: { limit: 1, windowSeconds: 60 },
          identify: () => `${name} plain`,
        })
        assert.equal((await fetch(url)).headers.get('ratelimit-policy'), '"default";q=1;w=60')
        assert.equal((await fetch(url)).status, 429)
      })
    })
  }
}

/** The URL of what each framework passes to the functions. */
const urlOf = (subject) => subject.req?.url ?? subject.url

for (const [name, start] of Object.entries(APPS)) {
  test(`${name} responds with 503 if requests cannot be counted and onUnavailable says throw`, async () => {
    const service = new RedisService({ url: `redis://127.0.0.1:${await freePort()}`, connectWaitMs: 50, log: false })
    after(() => service.disconnect())
    const limiter = new RateLimiter(service, { policies: POLICIES, onUnavailable: 'throw' })
    const response = await fetch(await start({ limiter, policy: 'api' }))
    assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1'])
    assert.equal((await response.json()).status, 503)
    const open = new RateLimiter(service, { policies: POLICIES, prefix: 'open:' })
    const passed = await fetch(await start({ limiter: open, policy: 'api', count: 'failures' }))
    assert.deepEqual([passed.status, passed.headers.get('ratelimit')], [200, '"api";r=2;t=0'])
  })

  test(`onRefused may respond itself in ${name}`, async () => {
    const service = await engines[0].makeService()
    after(() => service.disconnect())
    const limiter = new RateLimiter(service, { policies: { none: { limit: 0, per: 60 } } })
    const onRefused = (subject, result, response) => {
      assert.equal(result.allowed, false)
      if (name === 'fetch' || name === 'hono') return new Response('slow down', { status: 420 })
      return name === 'fastify' ? response.code(420).send('slow down') : response.writeHead(420).end('slow down')
    }
    const response = await fetch(await start({ limiter, policy: 'none', onRefused }))
    assert.deepEqual([response.status, await response.text()], [420, 'slow down'])
  })

  test(`an exception of identify is the application's in ${name}`, async () => {
    const service = await engines[0].makeService()
    after(() => service.disconnect())
    const limiter = new RateLimiter(service, { policies: POLICIES })
    const identify = () => {
      throw new Error('no user')
    }
    const url = await start({ limiter, policy: 'api', identify })
    assert.equal((await fetch(url)).status, 500)
  })
}

test('the default service needs no limiter', async () => {
  const handler = withRateLimit(() => new Response('ok'), { policy: 'AUTH', clientIp: { trustedProxies: 1 } })
  const request = new Request('http://h/', { headers: { 'x-forwarded-for': '203.0.113.99' } })
  const response = await handler(request)
  assert.deepEqual([response.status, response.headers.get('x-ratelimit-limit')], [200, '5'])
})

test('responses whose headers cannot change, and the servers of Deno and Bun', async () => {
  const service = await engines[0].makeService()
  const limiter = new RateLimiter(service, { policies: { api: { limit: 9, per: 60 } } })
  const handler = withRateLimit(() => Response.redirect('http://h/'), { limiter, policy: 'api' })
  const request = new Request('http://h/')
  const response = await handler(request, { remoteAddr: { transport: 'tcp', hostname: '203.0.113.1', port: 1 } })
  assert.deepEqual([response.status, response.headers.get('x-ratelimit-remaining')], [302, '8'])
  await handler(request, { requestIP: (asked) => (asked === request ? { address: '203.0.113.2' } : null) })
  await handler(request)
  for (const id of ['203.0.113.1', '203.0.113.2', 'unknown'])
    assert.equal((await limiter.peek('api', id)).remaining, 8, id)
  const failing = Response.error()
  const fetched = await fetch('data:text/plain,x')
  await fetched.text()
  for (const response of [failing, fetched]) {
    const returned = await withRateLimit(() => response, { limiter, policy: 'api' })(new Request('http://h/'))
    assert.equal(returned, response, 'one that cannot be copied stays as it is')
  }
  await service.disconnect()
})

test('what the program got wrong is an error at once', async () => {
  const service = await engines[0].makeService()
  const limiter = new RateLimiter(service, {
    policies: { ...POLICIES, slots: { algorithm: 'concurrency', limit: 1 } },
  })
  for (const wrong of [
    { limiter, policy: 'slots' },
    { limiter, policy: 'api', cost: -1 },
    { limiter, policy: 'api', cost: 1.5 },
    { limiter, policy: 'api', cost: '1' },
    { limiter, policy: 'api', cost: null },
    { policy: { limit: 0, windowSeconds: 60 } },
    { policy: { limit: 1.5, windowSeconds: 60 } },
    { policy: { limit: '1', windowSeconds: 60 } },
    { policy: { windowSeconds: 60 } },
    { policy: { limit: 1 } },
    { policy: { limit: 1, windowSeconds: 1e10 } },
    { limiter },
    { limiter, policy: 'apo' },
    { limiter, policy: { limit: 1, windowSeconds: 1 } },
    { limiter: {}, policy: 'api' },
    { limiter: null },
    { policy: 'api' },
    { policy: { limit: 1, per: 1 } },
    { count: 'failures' },
    { limiter, policy: 'api', count: 'none' },
    { limiter, policy: 'api', identify: 'ip' },
    { limiter, policy: 'api', skip: true },
    { limiter, policy: 'api', onRefused: {} },
    { limiter, policy: 'api', draft: 5 },
    { limiter, policy: 'api', clientIp: { proxies: 1 } },
    { limiter, policy: 'api', clientIp: { trustedProxies: ['x'] } },
    { limiter, policy: 'api', limits: 1 },
    'api',
  ]) {
    const invalid = { code: 'E_INVALID_ARGUMENT' }
    assert.throws(() => withRateLimit(() => new Response(), wrong), invalid, JSON.stringify(wrong))
    assert.throws(() => forExpress(wrong), invalid)
    assert.throws(() => forHono(wrong), invalid)
    await assert.rejects(async () => Fastify().register(forFastify, wrong), invalid)
  }
  assert.throws(() => withRateLimit('handler', { limiter, policy: 'api' }), { code: 'E_INVALID_ARGUMENT' })
  await service.disconnect()
})
