// The middleware in the frameworks' own types.
import { ApiCache, RateLimiter, RedisService, SessionManager, withCache, withRateLimit } from 'cinnabar'
import {
  cache as cacheExpress,
  rateLimit as limitExpress,
  session as forExpress,
  type WithSession,
} from 'cinnabar/express'
import { cache as cacheFastify, rateLimit as limitFastify, session as forFastify } from 'cinnabar/fastify'
import { cache as cacheHono, rateLimit as limitHono, session as forHono } from 'cinnabar/hono'
import express, { type Request } from 'express'
import Fastify from 'fastify'
import { Hono } from 'hono'

const sessions = new SessionManager<{ role: string }>()

export const hono = new Hono()
  .use(forHono({ sessions }))
  .post('/login', async (c) => {
    await c.get('session').signIn('ada', { role: 'admin' })
    // @ts-expect-error no such field
    await c.get('session').update({ rol: 'admin' })
    return c.redirect('/')
  })
  .get('/profile', forHono({ sessions, required: true }), (c) => c.json(c.get('session').data?.role))

export const app = express()
app.use(forExpress({ sessions }))
app.post('/login', async (request, response) => {
  const { session } = request as WithSession<Request, { role: string }>
  await session.signIn('ada', { role: 'admin' })
  session.commit(response).redirect(303, '/')
})

export async function fastify(): Promise<void> {
  const app = Fastify()
  await app.register(forFastify, { sessions, required: true })
  app.get('/', async (request) => request.session.userId)
  // @ts-expect-error misspelt
  await app.register(forFastify, { require: true })
}

// @ts-expect-error not a manager
forHono({ sessions: {} })

const limiter = new RateLimiter(new RedisService(), { policies: { api: { limit: 100, per: 60 } } })
const plain = new RateLimiter(new RedisService())

app.use(limitExpress({ limiter, policy: 'api', count: 'failures', clientIp: { trustedProxies: 1 }, draft: 7 }))
app.get('/', limitExpress({ limiter: plain, policy: 'AUTH', identify: (request) => request.url ?? '' }))
app.get('/own', limitExpress({ onRefused: (request, result, response) => response.end(`${result.retryAfterMs}`) }))
hono.use(limitHono({ limiter, policy: 'api', identify: (c) => c.req.path, skip: async (c) => c.req.method === 'HEAD' }))
export const handler: (request: globalThis.Request, id: number) => Promise<Response> = withRateLimit(
  (request: globalThis.Request, id: number) => new Response(`${request.url} ${id}`),
  { limiter, policy: 'api', onRefused: (request, { limit }) => new Response(`${request.url} ${limit}`) },
)
export const byPreset = withRateLimit((request: globalThis.Request) => fetch(request), {
  policy: { limit: 1, windowSeconds: 1 },
})

export async function limited(): Promise<void> {
  const app = Fastify()
  await app.register(limitFastify, {
    limiter,
    policy: 'api',
    cost: 2,
    onRefused: (request, result, reply) => reply.send(result),
  })
  await app.register(limitFastify, { policy: 'API' })
  // @ts-expect-error misspelt
  await app.register(limitFastify, { polic: 'API' })
}

// @ts-expect-error no such policy
limitExpress({ limiter, policy: 'apo' })
// @ts-expect-error no such policy
withRateLimit((request: globalThis.Request) => new Response(request.url), { limiter, policy: 'apo' })
// @ts-expect-error a limiter with policies needs one
limitHono({ limiter })
// @ts-expect-error only policies can be refunded
limitHono({ limiter: plain, count: 'failures' })

export const cached: (request: globalThis.Request, id: number) => Promise<Response> = withCache(
  async (request: globalThis.Request, id: number) => Response.json({ id, url: request.url }),
  {
    cache: ApiCache,
    ttl: 60,
    staleWhileRevalidate: 300,
    tags: (_, id) => [`item:${id}`],
    key: async (request, id) => (request.headers.has('x') ? null : `item:${id}`),
    vary: ['accept-language'],
    maxBytes: 1000,
  },
)
// @ts-expect-error
withCache((request: globalThis.Request) => new Response(request.url), { ttl: '60' })

app.use(cacheExpress())
app.get('/a', cacheExpress({ ttl: 60, staleWhileRevalidate: 300, key: (request: Request) => request.path }))
hono.get('/a', cacheHono({ tags: (c) => [c.req.path], vary: ['origin'], cache: new RedisService().cache }))
// @ts-expect-error misspelt
hono.use(cacheHono({ tll: 60 }))

export async function cachedRoutes(): Promise<void> {
  const app = Fastify()
  await app.register(cacheFastify, { maxBytes: 1000, key: async (request) => request.routeOptions.url })
  // @ts-expect-error no string
  await app.register(cacheFastify, { key: () => 1 })
}
