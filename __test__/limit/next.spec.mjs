// Route handlers and proxies of Next.js behind a limit. `__test__/runtimes/next.spec.mjs` runs one in Next.js itself.
import assert from 'node:assert/strict'
import { createRequire, Module } from 'node:module'
import { after, test } from 'node:test'

import { RateLimiter, RedisService } from 'cinnabar'

// `next/headers` works only within Next.js.
const load = Module._load
Module._load = (name, ...rest) => (name === 'next/headers' ? {} : load(name, ...rest))
const { withRateLimit } = createRequire(import.meta.url)('cinnabar/next')
Module._load = load

const service = new RedisService({ url: 'memory:' })
after(() => service.disconnect())
const limiter = new RateLimiter(service, { policies: { login: { algorithm: 'fixed-window', limit: 2, per: 60 } } })
const from = (address) => new Request('http://h/login', { headers: { 'x-forwarded-for': `1.1.1.1, ${address}` } })
const clientIp = { trustedProxies: 1 }
const remaining = async (address) => (await limiter.peek('login', address)).remaining

test('a route handler with its context', async () => {
  const handler = (request, { params }) => Response.json({ id: params.id })
  const route = withRateLimit(handler, { limiter, policy: 'login', clientIp })
  const response = await route(from('203.0.113.1'), { params: { id: 7 } })
  assert.deepEqual(
    [response.status, response.headers.get('ratelimit'), await response.json()],
    [200, '"login";r=1;t=60', { id: 7 }],
  )
  await route(from('203.0.113.1'), { params: {} })
  const refused = await route(from('203.0.113.1'), { params: {} })
  assert.deepEqual([refused.status, (await refused.json())['violated-policies']], [429, ['login']])
})

test('what redirect throws is no failure, and what notFound throws is one', async () => {
  const thrown = (digest) => Object.assign(new Error(digest), { digest })
  for (const [digest, left] of [
    ['NEXT_REDIRECT;replace;/;307;', 2],
    ['NEXT_HTTP_ERROR_FALLBACK;404', 1],
    [undefined, 0],
  ]) {
    const throws = () => {
      throw thrown(digest)
    }
    const route = withRateLimit(throws, { limiter, policy: 'login', count: 'failures', clientIp })
    await assert.rejects(route(from('203.0.113.2')), { digest })
    assert.equal(await remaining('203.0.113.2'), left, digest)
  }
})

test('all clients would share a limit unless the options say who they are', () => {
  const make = (options) => withRateLimit(() => new Response(), { limiter, policy: 'login', ...options })
  for (const options of [
    {},
    { clientIp: {} },
    { clientIp: { trustedProxies: 0 } },
    { clientIp: { trustedProxies: ['10.0.0.0/8'] } },
  ]) {
    assert.throws(() => make(options), { code: 'E_INVALID_ARGUMENT' })
  }
  make({ identify: () => 'x' })
  assert.throws(() => withRateLimit(() => new Response()), { code: 'E_INVALID_ARGUMENT' })
})
